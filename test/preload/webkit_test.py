"""WPE's cog (WebKit) renders a page without a display. Its web process uses the library.

Malloc=1 makes WebKit's own allocator pass its calls on to malloc. cog's sandbox is off by default.
"""

import os

import browser_page
import harness


def by_name(pids):
    """Returns {name: process id}. Of several processes with one name, the last one counts."""
    return {
        os.path.basename(harness.read_process_file(pid, "cmdline").partition("\0")[0]): pid
        for pid in pids
    }


def render(h, url, reports, env):
    runtime = h.path("runtime")
    os.makedirs(runtime, mode=0o700, exist_ok=True)
    display = {
        "XDG_RUNTIME_DIR": runtime,
        "XDG_CACHE_HOME": h.path("cache"),
        "XDG_DATA_HOME": h.path("data"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "NO_AT_BRIDGE": "1",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    cog = h.start(
        [harness.program("cog"), "--platform=headless", url],
        env=dict(display, **env),
        log="cog.log",
    )

    def reported():
        harness.check(cog.process.poll() is None, f"cog ended early:\n{cog.log()}")
        return reports

    harness.wait_until(reported, 60, "the page's report")
    browser_page.check_report(reports)
    processes = by_name(harness.descendants(cog.pid))
    for name in ("WPEWebProcess", "WPENetworkProcess"):
        harness.check(name in processes, f"no {name}: {processes}")
        h.check_served_live(processes[name])
    cog.stop()
    harness.wait_until(
        lambda: not harness.descendants(os.getpid()), 20, "the end of WebKit's processes"
    )
    # These are cog and two others. No other process of WebKit allocates nearly as much as the web
    # process.
    return h.check_served(harness.parse_stats(cog.log()), processes=3, allocations=50_000)


def test(h):
    harness.program("cog")
    with browser_page.served_page() as (url, reports):
        own_allocator = render(h, url, reports, {})
        reports.clear()
        served = render(h, url, reports, {"Malloc": "1"})
    harness.check(
        served.allocations > own_allocator.allocations + 100_000,
        f"the web process keeps an allocator of its own: {served}, before: {own_allocator}",
    )


harness.run_test(test)
