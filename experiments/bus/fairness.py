# SPDX-License-Identifier: Apache-2.0
"""How evenly a system serves its tenants, and what of experiments/bus/noisy_neighbour is a miss.

With demand d(i), what a tenant asked for, and goodput g(i), what it was answered with success, each
tenant's part is x(i) = min(1, g(i) / min(d(i), level)). The level is that of max-min fairness: no
tenant is owed more than it asked for, and what is left of the whole goodput is shared evenly by
those who asked for more. Jain's index of the parts is (sum x)^2 / (n * sum x^2): 1 where all
tenants have the same part of what is theirs, k/n where only k of n have any. It does not see how
much all have, and of a thousand tenants hardly one: that any of those who ask for their share is
refused is a miss of its own.
"""

RATIO_MAX, JAIN_MIN, BEHIND_MS_MAX = 1.5, 0.99, 100


def fair_level(demands, whole):
    """Up to which a tenant can be served if `whole` is shared max-min fairly among the demands."""
    left, waiting = whole, sorted(demands)
    for number, demand in enumerate(waiting):
        even = left / (len(waiting) - number)
        if demand > even:
            return even
        left -= demand
    return max(waiting, default=0)


def parts(demands, goodputs):
    """x of each tenant that asked for anything."""
    level = fair_level(demands, sum(goodputs))
    return [min(1.0, goodput / min(demand, level)) if level else 0.0
            for demand, goodput in zip(demands, goodputs) if demand]


def jain(values):
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 0.0


def missed(one):
    """What a run of noisy_neighbour misses, in words."""
    return ([f"p99 {one['ratio']:.2f} times"] * (one["ratio"] > RATIO_MAX)
            + [f"Jain's index {one['jain']:.4f}"] * (one["jain"] < JAIN_MIN)
            + [f"others failed {when}: {one[phase]['failed']:,}"
               for phase, when in (("quiet", "without noise"), ("noise", "in the noise"))
               if one[phase]["failed"]]
            + [f"the client was {one['behind_ms']:.0f} ms late"] *
            (one["behind_ms"] > BEHIND_MS_MAX))
