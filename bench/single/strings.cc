/*
 * strings: work with strings and containers of the C++ library; an operation is one word of a text.
 *
 * Stresses operator new and delete with the sizes that containers ask for: vectors that double,
 * nodes of maps, strings above the 15 bytes that libstdc++ keeps inside the object. `split` cuts a
 * text into strings, derives one from each, and joins them; `index` counts the words in a hash
 * table and sorts them into a map from a prefix to its words. The pattern is that of text
 * processing in C++: parsers, templates, word counts.
 */
#include "common.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace
{

constexpr size_t text_words = 4000;
constexpr size_t vocabulary_words = 1000;
constexpr size_t shortest_word = 2;
constexpr size_t longest_word = 48;
constexpr size_t prefix_length = 2;
constexpr size_t letters = 26;

const char *const work_names[] = {"split", "index", nullptr};

/* Short words are more frequent, because the length is the product of two draws. */
std::string new_word(uint64_t &seed)
{
    const uint64_t draw = bench_random(&seed);
    const size_t half = bench_scale(static_cast<uint32_t>(draw), longest_word - shortest_word + 1);
    const size_t length = shortest_word + bench_scale(static_cast<uint32_t>(draw >> 32), half + 1);
    std::string word;
    for (size_t i = 0; i < length; i++) {
        word += static_cast<char>('a' +
                                  bench_scale(static_cast<uint32_t>(bench_random(&seed)), letters));
    }
    return word;
}

std::string new_text()
{
    uint64_t seed = 42;
    std::vector<std::string> vocabulary;
    for (size_t i = 0; i < vocabulary_words; i++) {
        vocabulary.push_back(new_word(seed));
    }
    std::string text;
    for (size_t i = 0; i < text_words; i++) {
        text +=
            vocabulary[bench_scale(static_cast<uint32_t>(bench_random(&seed)), vocabulary_words)];
        text += ' ';
    }
    return text;
}

/* Each word is followed by a space. */
std::vector<std::string> split(std::string_view text)
{
    std::vector<std::string> words;
    for (size_t end = text.find(' '); end != std::string_view::npos; end = text.find(' ')) {
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return words;
}

std::string join(const std::vector<std::string> &words)
{
    std::string text;
    for (const std::string &word : words) {
        text += word;
        text += ' ';
    }
    return text;
}

void split_run(void *context, size_t rounds)
{
    const std::string &text = *static_cast<const std::string *>(context);
    for (size_t round = 0; round < rounds; round++) {
        const std::vector<std::string> words = split(text);
        std::vector<std::string> quoted;
        for (const std::string &word : words) {
            /* The vector is to grow. NOLINTNEXTLINE(performance-inefficient-vector-operation) */
            quoted.push_back("<" + word + ">");
        }
        if (join(words) != text || join(quoted).size() != text.size() + 2 * text_words) {
            bench_fail("the words do not make up the text", "");
        }
    }
}

void index_run(void *context, size_t rounds)
{
    const std::string &text = *static_cast<const std::string *>(context);
    for (size_t round = 0; round < rounds; round++) {
        std::unordered_map<std::string, size_t> counts;
        std::map<std::string, std::vector<std::string>> index;
        for (const std::string &word : split(text)) {
            if (++counts[word] == 1) {
                index[word.substr(0, prefix_length)].push_back(word);
            }
        }
        size_t indexed = 0;
        for (const auto &[prefix, words] : index) {
            indexed += words.size();
        }
        if (indexed != counts.size()) {
            bench_fail("the index lost words", "");
        }
    }
}

} // namespace

int main(int argc, char **argv)
{
    size_t work = 0;
    const struct bench_option options[] = {
        {"--work", "split or index", work_names, &work},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    bench_body *const works[] = {split_run, index_run};
    std::string text = new_text();
    bench_measure(&bench, works[work], &text, text_words);
    return 0;
}
