"""Writes the sources for the compiler test: a big C file, and a C++ file with many templates."""


def c_source(functions):
    """Functions with loops, switches and tables; main() prints a checksum over all of them."""
    lines = ["#include <stdint.h>", "#include <stdio.h>", "#include <string.h>", ""]
    for n in range(functions):
        cases = "\n".join(
            f"        case {k}: x ^= (x << {1 + (n + k) % 13}) + {n * 31 + k}u; break;"
            for k in range(12)
        )
        lines.append(
            f"""struct s{n} {{ uint32_t a[{4 + n % 9}]; char name[{8 + n % 5}]; }};
static uint32_t f{n}(uint32_t x) {{
    struct s{n} s = {{ .name = "n{n % 100}" }};
    for (uint32_t i = 0; i < sizeof s.a / sizeof s.a[0]; i++) {{
        s.a[i] = x * {2 * n + 1}u + i;
        switch (s.a[i] % 13) {{
{cases}
        default: x += (uint32_t)strlen(s.name); break;
        }}
    }}
    return x ^ s.a[x % (sizeof s.a / sizeof s.a[0])];
}}"""
        )
    lines.append(
        "static uint32_t (*const table[])(uint32_t) = {"
        + ", ".join(f"f{n}" for n in range(functions))
        + "};"
    )
    lines.append(
        """int main(void) {
    uint32_t x = 1;
    for (uint32_t i = 0; i < 200 * sizeof table / sizeof table[0]; i++)
        x = table[i % (sizeof table / sizeof table[0])](x + i);
    printf("%u\\n", (unsigned)x);
    return 0;
}
"""
    )
    return "\n".join(lines)


def cpp_source(types):
    """Returns a source with a type for each number, with its containers and tuple recursion."""
    headers = (
        "algorithm any chrono deque functional iostream list map memory numeric optional random regex set "
        "sstream string thread tuple unordered_map variant vector"
    )
    lines = [f"#include <{name}>" for name in headers.split()]
    lines.append(
        """
template <int N> struct tag { static constexpr int value = N; int held; explicit tag(int v) : held(v) {}
    bool operator<(const tag &o) const { return held < o.held; } };
template <int N> struct chain { static int sum(int x) { return chain<N - 1>::sum(x) + N; } };
template <> struct chain<0> { static int sum(int x) { return x; } };
template <int N> long work() {
    std::map<std::string, std::vector<tag<N>>> byName;
    std::unordered_map<int, std::shared_ptr<tag<N>>> byNumber;
    std::deque<std::variant<int, std::string, tag<N>>> queue;
    for (int i = 0; i < 40; i++) {
        byName["key" + std::to_string(i * N % 17)].emplace_back(i * N);
        byNumber[i] = std::make_shared<tag<N>>(i);
        if (i % 3 == 0) queue.emplace_back(i); else if (i % 3 == 1) queue.emplace_back(std::to_string(i));
        else queue.emplace_back(tag<N>(i));
    }
    long total = chain<N % 40 + 1>::sum(0);
    for (auto &[name, tags] : byName) {
        std::sort(tags.begin(), tags.end());
        total += std::accumulate(tags.begin(), tags.end(), 0L,
                                 [](long s, const tag<N> &t) { return s + t.held; });
        total += static_cast<long>(name.size());
    }
    for (auto &element : queue)
        total += std::visit([](auto &&e) -> long {
            using T = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<T, int>) return e;
            else if constexpr (std::is_same_v<T, std::string>) return static_cast<long>(e.size());
            else return e.held + T::value;
        }, element);
    std::function<long(long)> last = [&byNumber](long x) { return x + static_cast<long>(byNumber.size()); };
    return last(total);
}
"""
    )
    calls = " + ".join(f"work<{n}>()" for n in range(1, types + 1))
    lines.append(
        f"""int main() {{
    std::vector<std::thread> threads;
    std::vector<long> sums(4);
    for (size_t t = 0; t < sums.size(); t++)
        threads.emplace_back([t, &sums] {{ for (int i = 0; i < 20; i++) sums[t] += {calls}; }});
    for (auto &thread : threads) thread.join();
    std::regex word("[a-z]+([0-9]+)");
    std::string text = std::regex_replace(std::string("sum17 of4 all9"), word, "<$1>");
    std::cout << std::accumulate(sums.begin(), sums.end(), 0L) << ' ' << text << std::endl;
    return 0;
}}
"""
    )
    return "\n".join(lines)
