"""The Python package's side of groups/python.mjs: told what to do line by line, it answers with milliseconds.

A line is `{"store": "memory" | "sqlite", "do": "load" | "read" | "count" | "sort" | "scan"}`. The first argument is a
folder with people.json, ids.json (positions to read) and query.json.
"""

import json
import logging
import os
import sys
from time import perf_counter

from dataknobs_data import Operator, Query, Record, SortOrder
from dataknobs_data.backends.memory import SyncMemoryDatabase
from dataknobs_data.backends.sqlite import SyncSQLiteDatabase

logging.disable(logging.CRITICAL)
folder = sys.argv[1]


def read_json(name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


people = read_json("people.json")
positions = read_json("ids.json")
questions = read_json("query.json")
stores = {}
ids = {}
files = 0
# SQLite binds at most 32,766 values in a statement, and the package puts a batch into one.
BATCH = 10_000


def fresh(store):
    global files
    if store in stores:
        stores[store].close()
    if store == "memory":
        return SyncMemoryDatabase()
    files += 1
    path = os.path.join(folder, f"python-{files}.db")
    database = SyncSQLiteDatabase({"path": path, "journal_mode": "WAL", "synchronous": "NORMAL"})
    database.connect()
    return database


def conditions(query, name):
    for path, op, value in questions[name]:
        query = query.filter(path, {">": Operator.GT, ">=": Operator.GTE, "=": Operator.EQ}[op], value)
    return query


def load(store):
    database = fresh(store)
    records = [Record(data) for data in people]
    start = perf_counter()
    made = []
    for at in range(0, len(records), BATCH):
        made.extend(database.create_batch(records[at : at + BATCH]))
    taken = perf_counter() - start
    stores[store] = database
    ids[store] = [made[position] for position in positions]
    return taken, len(made)


def timed(body):
    start = perf_counter()
    answer = body()
    return perf_counter() - start, answer


def perform(store, what):
    if what == "load":
        return load(store)
    database = stores[store]
    if what == "read":
        return timed(lambda: sum(database.read(one).get_value("age") for one in ids[store]))
    if what == "count":
        return timed(lambda: database.count(conditions(Query(), "adults")))
    if what == "sort":
        query = conditions(Query(), "adults").sort_by("score", SortOrder.DESC).limit(10)
        return timed(lambda: len(database.search(query)))
    query = conditions(Query(), "old")
    return timed(lambda: len(database.search(query)))


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    try:
        taken, answer = perform(task["store"], task["do"])
        print(json.dumps({"ms": taken * 1000, "answer": answer}), flush=True)
    except Exception as error:  # told to the other side, which ends the run
        print(json.dumps({"error": repr(error)}), flush=True)
