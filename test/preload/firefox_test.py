"""firefox-esr, headless, has an allocator of its own. The preloaded library must not harm it."""

import os

import browser_page
import harness

PREFERENCES = """
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.safebrowsing.downloads.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("geo.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.prefetch-next", false);
user_pref("services.settings.server", "data:,");
user_pref("signon.autofillForms", false);
user_pref("toolkit.telemetry.enabled", false);
"""


def new_profile(h, name):
    os.mkdir(h.path(name))
    h.write(os.path.join(name, "user.js"), PREFERENCES)
    return h.path(name)


def test(h):
    firefox = harness.program("firefox-esr")
    env = {"MOZ_HEADLESS": "1", "MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_DISABLE_GPU_PROCESS": "1"}
    picture = h.path("firefox.png")
    start = [firefox, "--headless", "--no-remote", "--profile"]
    with browser_page.served_page() as (url, reports):
        size = ["--window-size", "900,700", "--screenshot", picture]
        h.run([*start, new_profile(h, "profile1"), *size, url], env=env, seconds=100)
        browser_page.check_report(reports)
        browser_page.check_screenshot(picture)
        reports.clear()
        browser = h.start([*start, new_profile(h, "profile2"), url], env=env, log="firefox.log")
        harness.wait_until(lambda: reports, 90, "the page's report")
        browser_page.check_report(reports)
        content = [
            pid
            for pid in harness.descendants(os.getpid())
            if "-contentproc" in harness.read_process_file(pid, "cmdline")
        ]
        harness.check(h.maps_library(browser.pid), "the browser has not mapped the library")
        harness.check(
            any(map(h.maps_library, content)), "no content process has the library mapped"
        )
        browser.stop(expected=(0, -15))


harness.run_test(test)
