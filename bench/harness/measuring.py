"""Runs the phases: warm-up, interleaved rounds, counting. Each fills in its part of the results."""

import time

import counting
from cases import is_script
from runner import RunFailure, RunSkipped

WARM_UP_COST_S = 0.5
SCRIPT_S = 0.1  # what a script takes in addition to the program that it measures
NS_OF_UNIT = {"ns": 1, "ms": 1e6}


def options_of(case, reps, ms):
    return () if is_script(case) else ("--reps", str(reps), "--ms", str(ms))


def warm_up(runner, cases, allocator, reps, ms, progress):
    """Runs each case once, untimed, so that files are in memory and scripts have made their inputs.

    Returns {case: seconds} of those that work, and two lists of lines. The first is about cases
    that cannot run here. The second is about cases that are broken, because they fail even under
    the allocator that everything else is compared with.
    """
    seconds, skipped, broken = {}, [], []
    for case in cases:
        progress.step(f"warm-up: {case.name}", WARM_UP_COST_S)
        start = time.monotonic()
        try:
            sample = runner.sample(case, allocator, options_of(case, reps, ms))
        except RunSkipped as reason:
            skipped.append(f"{case.name}: skipped: {reason}")
            continue
        except RunFailure as failure:
            broken.append(f"{case.name}: fails in the warm-up, under {allocator.name}: {failure}")
            continue
        # A script made its inputs, too, and will find them the next time.
        seconds[case] = sample.wall_s + SCRIPT_S if is_script(case) else time.monotonic() - start
    return seconds, skipped, broken


def run_rounds(runner, results, cases, rounds, plan, progress):
    """Runs the rounds interleaved.

    The order of the allocators rotates from round to round and from case to case, so that a
    disturbance of the machine does not hit one of them more than the others. An allocator that
    failed a case does not run that case again.
    """
    for number in range(rounds):
        for index, case in enumerate(cases):
            shift = (number + index) % len(results.allocators)
            for allocator in results.allocators[shift:] + results.allocators[:shift]:
                progress.step(
                    f"round {number + 1}: {case.name}, {allocator.name}", plan.run_cost(case)
                )
                key = (case.name, allocator.name)
                if key in results.failures:
                    continue
                try:
                    sample = runner.sample(
                        case, allocator, options_of(case, plan.shape.reps, plan.ms)
                    )
                    results.samples.setdefault(key, []).append(sample)
                except (RunFailure, RunSkipped) as failure:
                    results.failures[key] = str(failure)
                    results.samples.pop(key, None)


def run_counts(runner, results, plan, progress):
    """Counts system calls and page faults. A case that cannot be counted is noted, not failed."""
    for case in plan.counted:
        for allocator in results.allocators:
            progress.step(f"counting: {case.name}, {allocator.name}", plan.count_cost(case))
            samples = results.samples.get((case.name, allocator.name))
            if not samples:
                continue
            try:
                counts = count_case(runner, case, allocator, samples)
                results.counts[case.name, allocator.name] = counts
            except (RunFailure, RunSkipped) as failure:
                results.notes.append(
                    f"{case.name} under {allocator.name} could not be counted: {failure}"
                )


def count_case(runner, case, allocator, samples):
    if is_script(case):
        return counting.count_script(
            runner, case, allocator, min(sample.faults for sample in samples)
        )
    time_ns = min(sample.time for sample in samples) * NS_OF_UNIT[case.unit]
    return counting.count_program(runner, case, allocator, time_ns)
