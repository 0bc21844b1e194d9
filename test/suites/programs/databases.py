"""PostgreSQL with pgbench and 16 clients, parallel queries and crashes; sqlite3 with a script.

pgbench keeps four sums equal, whatever is killed in the middle. The check compares them after each
crash.
"""

import glob
import hashlib
import os
import pwd
import signal
import time

import harness
from compare import Check

WORKLOADS = os.path.join(os.path.dirname(harness.__file__), "workloads")
SERVER_OPTIONS = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=32MB"]
CLIENTS, TRANSACTIONS = 16, 250

SUMS = """SELECT (SELECT sum(abalance) FROM pgbench_accounts)
= (SELECT sum(bbalance) FROM pgbench_branches)
AND (SELECT sum(tbalance) FROM pgbench_tellers)
= (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)"""
QUERIES = """
SET max_parallel_workers_per_gather = 4; SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET work_mem = '1MB';
CREATE TABLE words AS SELECT n, md5(n::text) AS word, n % 97 AS kind
FROM generate_series(1, 200000) AS n;
CREATE INDEX ON words (word); CREATE INDEX ON words USING hash (word); ANALYZE words;
SELECT kind, count(*), min(word), max(word) FROM words GROUP BY kind ORDER BY kind;
SELECT count(*) FROM words a JOIN words b ON a.word = b.word AND a.n = b.n;
SELECT word FROM (SELECT word, row_number() OVER (ORDER BY word DESC) AS place FROM words) AS placed
WHERE place % 20000 = 0;
SELECT md5(string_agg(word, ',' ORDER BY n)) FROM words;
SELECT count(*) FROM words WHERE word ~ '^[0-4]+[a-f].*(7|8)$';
WITH RECURSIVE walk(n, path) AS
(SELECT 1, ARRAY[1] UNION ALL SELECT n + 1, path || n FROM walk WHERE n < 1500)
SELECT max(array_length(path, 1)), md5(max(path::text)) FROM walk;
SELECT md5(jsonb_agg(jsonb_build_object('n', n, 'word', word) ORDER BY n)::text)
FROM words WHERE n < 20000;
DO $$ DECLARE total bigint := 0; r record; BEGIN
FOR r IN SELECT n FROM words WHERE n < 30000 LOOP BEGIN total := total + 1 / (r.n % 3);
EXCEPTION WHEN division_by_zero THEN total := total + 1; END; END LOOP;
RAISE NOTICE 'total %', total; END $$;
DELETE FROM words WHERE kind < 50; VACUUM FULL words; SELECT count(*), sum(n) FROM words;
DROP TABLE words;
"""


class Postgres:
    """A cluster in the side's directory.

    The server refuses to run as root, so the cluster then belongs to another user.
    """

    def __init__(self, side):
        self.side, self.server, self.starts = side, None, 0
        homes = sorted(
            glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2])
        )
        if not homes or not os.path.exists(os.path.join(homes[-1], "initdb")):
            raise harness.Skipped("PostgreSQL's server is not installed")
        self.home = homes[-1]
        self.root, self.prefix = side.path("postgres"), []
        os.mkdir(self.root)
        if os.geteuid() == 0:
            self.become("postgres")

    def become(self, name):
        user = pwd.getpwnam(name)
        os.chown(self.root, user.pw_uid, user.pw_gid)
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.prefix = [harness.program("setpriv"), *ids]

    def command(self, name, *arguments):
        return [*self.prefix, os.path.join(self.home, name), *arguments]

    def client(self, name, *arguments):
        return self.command(name, "-h", self.root, "-U", "tester", *arguments)

    def run(self, command, **options):
        return self.side.run(command, cwd=self.root, **options)

    def create(self):
        options = ["-U", "tester", "-A", "trust", "-N", "--locale=C.UTF-8"]
        self.run(self.command("initdb", "-D", self.path(), *options))
        self.start()
        self.run(self.client("createdb", "bench"))

    def path(self):
        return os.path.join(self.root, "data")

    def start(self):
        self.starts += 1
        command = self.command("postgres", "-D", self.path(), "-k", self.root, *SERVER_OPTIONS)
        self.server = self.side.start(command, cwd=self.root, log=f"postgres{self.starts}.log")
        self.wait()

    def wait(self):
        ready = self.client("pg_isready", "-q")
        harness.wait_until(
            lambda: self.side.run(ready, preload=False, expected=(0, 1, 2)).status == 0,
            60,
            "the server",
        )

    def ask(self, text):
        result = self.run(
            self.client("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "bench"), stdin=text
        )
        return result.stdout + result.stderr

    def start_bench(self):
        return self.side.start(self.bench("-T", "60"), cwd=self.root, log="pgbench.log")

    def bench(self, *arguments):
        return self.client("pgbench", "-n", "-c", str(CLIENTS), "-j", "4", *arguments, "bench")

    def require_sums(self):
        answer = self.ask(SUMS).strip()
        harness.check(
            answer == "t", f"pgbench's sums differ ({answer}):\n{self.server.log()[-3000:]}"
        )

    def require_no_crash(self):
        log = self.server.log()
        harness.check("was terminated by signal" not in log, f"a backend died:\n{log[-3000:]}")

    def stop(self):
        self.server.stop(stop_signal=signal.SIGINT)


def created(side):
    postgres = Postgres(side)
    postgres.create()
    postgres.run(postgres.client("pgbench", "-i", "-q", "-s", "2", "bench"))
    return postgres


def postgres_bench(side):
    postgres = created(side)
    for mode in ("simple", "extended", "prepared"):
        result = postgres.run(postgres.bench("-M", mode, "-t", str(TRANSACTIONS)), seconds=120)
        wanted = (
            f"transactions actually processed: {CLIENTS * TRANSACTIONS}/{CLIENTS * TRANSACTIONS}"
        )
        harness.check(wanted in result.stdout, result.stdout + result.stderr)
    postgres.require_sums()
    postgres.require_no_crash()
    postgres.stop()
    side.note = f"{3 * CLIENTS * TRANSACTIONS} transactions"


def postgres_queries(side):
    postgres = Postgres(side)
    postgres.create()
    answer = postgres.ask(QUERIES)
    postgres.require_no_crash()
    postgres.stop()
    return answer


def wait_for_transactions(postgres):
    count = "SELECT count(*) > 100 FROM pgbench_history"
    harness.wait_until(
        lambda: postgres.ask(count).strip() == "t", 30, "pgbench's first transactions"
    )


def end_bench(bench):
    """Waits for pgbench, which ends with a failure because its connections broke."""
    status = bench.process.wait(60)
    harness.check(status in (1, 2), f"pgbench ended with {status}: {bench.log()[-2000:]}")


def postgres_backend_killed(side):
    postgres = created(side)
    bench = postgres.start_bench()
    wait_for_transactions(postgres)
    victim = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' LIMIT 1"
    os.kill(int(postgres.ask(victim)), signal.SIGKILL)
    end_bench(bench)
    harness.wait_until(lambda: "reinitializing" in postgres.server.log(), 30, "the crash's notice")
    time.sleep(0.5)
    postgres.wait()
    postgres.require_sums()
    postgres.stop()


def postgres_stopped_at_once(side):
    postgres = created(side)
    bench = postgres.start_bench()
    wait_for_transactions(postgres)
    postgres.server.stop(stop_signal=signal.SIGQUIT)
    end_bench(bench)
    postgres.start()
    harness.check("automatic recovery in progress" in postgres.server.log(), postgres.server.log())
    postgres.require_sums()
    postgres.stop()


def sqlite(side):
    program = harness.program("sqlite3")
    with open(os.path.join(WORKLOADS, "sqlite.sql"), encoding="utf-8") as file:
        script = file.read()
    answer = side.run([program, "shop.db"], stdin=script).stdout
    more = "PRAGMA integrity_check; VACUUM; PRAGMA integrity_check;\n.dump\n"
    dump = side.run([program, "shop.db"], stdin=more).stdout
    harness.check(dump.startswith("ok\nok\n"), f"the database is damaged: {dump[:500]}")
    return answer, hashlib.sha256(dump.encode()).hexdigest()


def checks():
    served = ["postgres", "pgbench"]
    return [
        Check("sqlite3", "a script, integrity check, dump", sqlite, ["sqlite3"]),
        Check("PostgreSQL", "initdb, pgbench -c 16, three protocols", postgres_bench, served),
        Check(
            "PostgreSQL",
            "sorts, joins, parallel queries, vacuum",
            postgres_queries,
            ["postgres", "psql"],
        ),
        Check("PostgreSQL", "kill -9 of a backend, crash restart", postgres_backend_killed, served),
        Check(
            "PostgreSQL", "immediate stop under load, recovery", postgres_stopped_at_once, served
        ),
    ]
