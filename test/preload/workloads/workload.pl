# Hashes, sorts, regular expressions, closures and interpreter threads: prints checksums only.
use strict;
use warnings;
use threads;
use Digest::MD5 qw(md5_hex);

sub words {
    my ($seed, $count) = @_;
    my %seen;
    for my $i (1 .. $count) {
        my $word = join '', map { chr(97 + ($i * $seed * $_) % 26) } 1 .. 3 + $i % 9;
        push @{ $seen{$word} }, { at => $i, text => $word x ($i % 7) };
    }
    my @lines = map { "$_=" . scalar(@{ $seen{$_} }) . ':' . length($seen{$_}[0]{text}) } sort keys %seen;
    my $text = join ' ', @lines;
    $text =~ s/([a-z]+)=(\d+)/$2-$1/g;
    return md5_hex($text);
}

print "main $_ ", words($_, 40000), "\n" for 3, 7;
my @threads = map { my $seed = $_; threads->create(sub { words($seed, 15000) }) } 5, 11, 13, 17;
print "thread ", $_->join, "\n" for @threads;
my $grown = '';
$grown .= chr(33 + $_ % 90) x ($_ % 50) for 1 .. 60000;
print "grown ", length $grown, ' ', md5_hex($grown), "\n";
my @closures = map { my @kept = (1 .. $_ % 40); sub { scalar(@kept) * $_[0] } } 1 .. 20000;
my $sum = 0;
$sum += $_->(3) for @closures;
print "closures $sum\n";
