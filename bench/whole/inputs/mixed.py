"""Works with dicts, lists, strings, classes, JSON and regular expressions; prints checksums."""

import json
import re
import zlib

ORDERS = 12000
CUSTOMERS = 1500


class Order:
    def __init__(self, number):
        self.number = number
        self.customer = f"customer-{number * 7919 % CUSTOMERS}"
        self.lines = [
            (f"item{(number * k) % 977}", k, k * number % 101) for k in range(1, 2 + number % 7)
        ]

    def total(self):
        return sum(count * price for _, count, price in self.lines)

    def as_dict(self):
        return {
            "number": self.number,
            "customer": self.customer,
            "lines": self.lines,
            "total": self.total(),
        }


class Node:
    __slots__ = ("key", "left", "right")

    def __init__(self, key):
        self.key, self.left, self.right = key, None, None

    def insert(self, key):
        node = self
        while key != node.key:
            side = "left" if key < node.key else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Node(key))
                return
            node = child


def checksum(text):
    return zlib.crc32(text.encode())


def group_orders():
    by_customer = {}
    for number in range(ORDERS):
        order = Order(number)
        by_customer.setdefault(order.customer, []).append(order)
    totals = {name: sum(order.total() for order in orders) for name, orders in by_customer.items()}
    print("orders", len(by_customer), checksum(repr(sorted(totals.items()))))
    return by_customer


def json_and_back(by_customer):
    text = json.dumps(
        {name: [order.as_dict() for order in orders] for name, orders in by_customer.items()},
        sort_keys=True,
    )
    loaded = json.loads(text)
    print(
        "json",
        len(text),
        checksum(text),
        sum(order["total"] for list_ in loaded.values() for order in list_),
    )
    return text


def words_and_lines(text):
    words = {}
    for word in re.findall(r"[a-z]+-?\d+", text):
        words[word] = words.get(word, 0) + 1
    lines = [f"{word}: {count}" for word, count in sorted(words.items())]
    joined = "\n".join(line.upper().replace(":", " =") for line in lines)
    print("words", len(words), checksum(joined), checksum(re.sub(r"\d+", "#", text)))


def tree():
    root, key = Node(1 << 19), 1
    for _ in range(12000):
        key = (key * 1103515245 + 12345) % (1 << 20)
        root.insert(key)
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [child for node in level for child in (node.left, node.right) if child]
    print("tree", depth)


def growing_lists():
    table = [[] for _ in range(300)]
    for i in range(90000):
        table[i * i % 300].append((i, str(i)))
    table = [sorted(row, key=lambda pair: pair[1]) for row in table]
    print("lists", checksum("".join(row[-1][1] for row in table if row)))


orders = group_orders()
words_and_lines(json_and_back(orders))
tree()
growing_lists()
