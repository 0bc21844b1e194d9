"""Prints a C++17 source with many headers and templates, as work for a compiler."""

HEADERS = (
    "algorithm array functional iostream iterator map memory numeric regex set sstream string tuple "
    "type_traits unordered_map variant vector"
)
RECORDS = 3

RECORD = """
struct record{i} {{
    int number;
    std::string name;
    std::vector<std::pair<int, std::string>> parts;
    std::tuple<int, double, std::string> key() const {{ return {{number + {i}, number * 1.5, name}}; }}
    bool operator<(const record{i} &other) const {{ return key() < other.key(); }}
}};

std::map<std::string, std::vector<record{i}>> group_record{i}(const std::vector<record{i}> &records)
{{
    std::map<std::string, std::vector<record{i}>> groups;
    for (const auto &record : records) {{
        groups[record.name].push_back(record);
    }}
    for (auto &[name, group] : groups) {{
        std::sort(group.begin(), group.end(), [](const auto &a, const auto &b) {{ return b < a; }});
    }}
    return groups;
}}

int sum_record{i}(const std::vector<record{i}> &records)
{{
    std::unordered_map<int, std::function<int(int)>> steps;
    for (const auto &record : records) {{
        steps[record.number] = [&record](int value) {{
            return value + record.number + int(record.parts.size());
        }};
    }}
    std::set<std::variant<int, std::string>> seen;
    int total = chain<{i}>::value;
    for (const auto &[number, step] : steps) {{
        total = step(total);
        seen.emplace(number);
    }}
    return total + int(seen.size());
}}
"""

CHAIN = """
template <int depth> struct chain {
    using pair = std::pair<typename chain<depth - 1>::pair, std::integral_constant<int, depth>>;
    static constexpr int value = chain<depth - 1>::value + int(sizeof(pair));
};
template <> struct chain<0> {
    using pair = std::pair<int, int>;
    static constexpr int value = 0;
};
"""


def main():
    for header in HEADERS.split():
        print(f"#include <{header}>")
    print(CHAIN)
    for i in range(RECORDS):
        print(RECORD.format(i=i))


main()
