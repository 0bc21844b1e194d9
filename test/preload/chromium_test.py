"""chromium, headless, has an allocator of its own. The preloaded library must not harm it."""

import os

import browser_page
import harness

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --disable-extensions "
    "--disable-dev-shm-usage --hide-scrollbars --window-size=900,700 --timeout=30000 "
    "--virtual-time-budget=20000"
).split()


def test(h):
    chromium = harness.program("chromium")
    picture = h.path("chromium.png")
    with browser_page.served_page() as (url, reports):
        profile = f"--user-data-dir={h.path('profile')}"
        dumped = h.run([chromium, *OPTIONS, profile, "--dump-dom", url], seconds=100)
        browser_page.check_report(reports)
        title = f"<title>page {browser_page.expected_report()}</title>"
        harness.check(
            title in dumped.stdout, f"the page's title is not there:\n{dumped.stdout[:2000]}"
        )
        reports.clear()
        h.run([chromium, *OPTIONS, profile, f"--screenshot={picture}", url], seconds=100)
        browser_page.check_report(reports)
        browser_page.check_screenshot(picture)
        check_mapped(h, chromium, url, reports)


def check_mapped(h, chromium, url, reports):
    """Checks that browser and renderer have the library mapped while the page is shown."""
    reports.clear()
    browser = h.start(
        [
            chromium,
            *[o for o in OPTIONS if "time" not in o],
            f"--user-data-dir={h.path('profile2')}",
            "--remote-debugging-port=0",
            url,
        ],
        log="chromium.log",
    )
    harness.wait_until(lambda: reports, 60, "the page's report")
    browser_page.check_report(reports)
    pids = harness.descendants(os.getpid())
    for kind in ("--user-data-dir", "--type=renderer"):
        mapped = [
            pid
            for pid in pids
            if kind in harness.read_process_file(pid, "cmdline") and h.maps_library(pid)
        ]
        harness.check(mapped, f"no process with {kind} has the library mapped")
    browser.stop()


harness.run_test(test)
