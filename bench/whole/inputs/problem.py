"""Prints an SMT-LIB problem of several theories for a solver. The caller checks the answers."""

PIGEONS = 9
JOBS, MACHINES, HORIZONS = 10, 4, (50, 53, 55, 57, 60)
PRODUCT, FACTOR_BITS = 64007 * 63997, 16
WRITES = 40


def pigeonhole():
    """More pigeons than holes: unsat, by clauses."""
    holes = range(PIGEONS - 1)
    for pigeon in range(PIGEONS):
        for hole in holes:
            yield f"(declare-const p{pigeon}_{hole} Bool)"
        yield f"(assert (or {' '.join(f'p{pigeon}_{hole}' for hole in holes)}))"
    for hole in holes:
        for second in range(PIGEONS):
            for first in range(second):
                yield f"(assert (not (and p{first}_{hole} p{second}_{hole})))"


def job_shop(horizon):
    """Start times of jobs on machines that serve one at a time: integer differences."""
    length = [[2 + (job * 5 + step * 3) % 7 for step in range(MACHINES)] for job in range(JOBS)]
    machine = [[(job * 3 + step) % MACHINES for step in range(MACHINES)] for job in range(JOBS)]
    for job in range(JOBS):
        for step in range(MACHINES):
            yield f"(declare-const s{job}_{step} Int)"
        yield f"(assert (>= s{job}_0 0))"
        for step in range(1, MACHINES):
            yield f"(assert (>= s{job}_{step} (+ s{job}_{step - 1} {length[job][step - 1]})))"
        yield f"(assert (<= (+ s{job}_{MACHINES - 1} {length[job][-1]}) {horizon}))"
    steps = [(job, step) for job in range(JOBS) for step in range(MACHINES)]
    for a, b in (
        (a, b) for a in steps for b in steps if a < b and machine[a[0]][a[1]] == machine[b[0]][b[1]]
    ):
        first, second = f"s{a[0]}_{a[1]}", f"s{b[0]}_{b[1]}"
        before = f"(<= (+ {first} {length[a[0]][a[1]]}) {second})"
        after = f"(<= (+ {second} {length[b[0]][b[1]]}) {first})"
        yield f"(assert (or {before} {after}))"


def factors():
    """The two factors of a product: sat, by bits."""
    width = 2 * FACTOR_BITS
    for name in "ab":
        yield f"(declare-const {name} (_ BitVec {width}))"
        yield f"(assert (bvult (_ bv1 {width}) {name}))"
        yield f"(assert (bvult {name} (_ bv{1 << FACTOR_BITS} {width})))"
    yield f"(assert (= (bvmul a b) (_ bv{PRODUCT} {width})))"


def arrays_and_functions():
    """Writes to an array and an uninterpreted function over what was read: sat."""
    yield "(declare-const m0 (Array Int Int))"
    yield "(declare-fun f (Int) Int)"
    for i in range(WRITES):
        yield f"(declare-const i{i} Int)"
        yield f"(define-fun m{i + 1} () (Array Int Int) (store m{i} i{i} (+ i{i} {i % 11})))"
        yield f"(assert (and (> i{i} {i * 7 % 50}) (< i{i} {i * 7 % 50 + 60})))"
        if i:
            yield f"(assert (> (f (select m{i} i{i})) (f (select m{i} i{i - 1}))))"


def main():
    for problem in (
        pigeonhole(),
        *(job_shop(horizon) for horizon in HORIZONS),
        factors(),
        arrays_and_functions(),
    ):
        print(*problem, "(check-sat)", "(reset)", sep="\n")


main()
