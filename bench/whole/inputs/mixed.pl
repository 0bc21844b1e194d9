# Hashes of arrays, sorts, strings, regular expressions and closures; prints checksums.
use strict;
use warnings;

sub checksum {
    my ($text) = @_;
    return unpack('%32C*', $text) + length $text;
}

sub index_words {
    my %places;
    for my $i (1 .. 150_000) {
        push @{ $places{ 'word' . ($i * 7919 % 6007) } }, $i;
    }
    my @lines = map { "$_=" . join(',', @{ $places{$_} }) } sort keys %places;
    print 'words ', scalar(@lines), ' ', checksum(join "\n", @lines), "\n";
    return \@lines;
}

sub rewrite_lines {
    my ($lines) = @_;
    my ($matches, %digits) = (0);
    for my $line (@$lines) {
        (my $copy = $line) =~ s/(\d)(\d)/$2-$1/g;
        $matches++ while $copy =~ /\d-\d/g;
        $digits{ length $_ }++ for split /,/, $line;
    }
    print "regex $matches ", join(' ', map { "$_:$digits{$_}" } sort { $a <=> $b } keys %digits), "\n";
}

sub run_closures {
    my @steps;
    for my $i (1 .. 20_000) {
        my $text = 'x' x ($i % 90);
        push @steps, sub { return $_[0] . substr $text, 0, $i % 3 };
    }
    my $sum = 0;
    $sum += length $_->('ab') for @steps;
    print "closures $sum\n";
}

sub build_records {
    my @records = map { { id => $_, name => "name$_", parts => [ map { $_ * 3 } 1 .. $_ % 9 ] } } 1 .. 30_000;
    @records = sort { $a->{name} cmp $b->{name} } @records;
    my $text = join ';', map { "$_->{id}:" . scalar @{ $_->{parts} } } @records;
    print 'records ', checksum($text), "\n";
}

rewrite_lines(index_words());
run_closures();
build_records();
