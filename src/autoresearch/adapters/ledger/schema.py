"""The tables of a ledger and every statement that is run on them, in SQLAlchemy Core.

No SQL stands anywhere else; a change here is a new `VERSION` and a function in `migrations`.
"""

import sqlalchemy as sa

VERSION = 1
"""Schema version that this code reads and writes."""

METADATA = sa.MetaData()

schema_version = sa.Table("schema_version", METADATA, sa.Column("version", sa.Integer, nullable=False))

events = sa.Table(
    "events",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("chain", sa.Integer),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("mac", sa.LargeBinary, nullable=False),
    sa.Index("events_by_chain", "chain", "seq"),
)

study = sa.Table(
    "study",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
    sa.Column("mac", sa.LargeBinary, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("totals", sa.LargeBinary, nullable=False),
)
"""One row: the end of the record and its seal, the last fencing token, the totals."""

trials = sa.Table(
    "trials",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("standing", sa.Text, nullable=False),
    sa.Column("tree", sa.Text),
    sa.Column("effect", sa.Double),
    sa.Column("row", sa.LargeBinary, nullable=False),
    sa.Index("trials_by_tree", "tree", "number"),
    sa.Index("trials_by_state", "state", "number"),
)

runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("tree", sa.Text, nullable=False),
    sa.Column("trial", sa.Integer),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("status", sa.Text),
    sa.Column("row", sa.LargeBinary, nullable=False),
    sa.Index("runs_by_id", "id", unique=True),
    sa.Index("runs_by_tree", "tree", "number"),
)

rounds = sa.Table(
    "rounds",
    METADATA,
    sa.Column("round", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
)
"""Which events each confirmation round has had."""

leases = sa.Table(
    "leases",
    METADATA,
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
)

PROJECTION = (trials, runs, rounds)
"""What `repair_projection` empties and fills again."""

EMPTY = {table.name: sa.delete(table) for table in PROJECTION}

_p = sa.bindparam

GET_VERSION = sa.select(schema_version.c.version)
PUT_VERSION = sa.insert(schema_version)
SET_VERSION = sa.update(schema_version).values(version=_p("version"))

GET_STUDY = sa.select(study.c.seq, study.c.head, study.c.mac, study.c.totals)
PUT_STUDY = sa.insert(study)
SET_STUDY = sa.update(study).values(seq=_p("seq"), head=_p("head"), mac=_p("mac"), totals=_p("totals"))
SET_TOTALS = sa.update(study).values(totals=_p("totals"))
NEXT_TOKEN = sa.update(study).values(token=study.c.token + 1).returning(study.c.token)

PUT_EVENT = sa.insert(events)
GET_EVENTS = (
    sa.select(events.c.seq, events.c.at, events.c.kind, events.c.payload)
    .where(events.c.seq > _p("after"))
    .order_by(events.c.seq)
    .limit(_p("most"))
)
GET_CHAIN = (
    sa.select(events.c.seq, events.c.at, events.c.kind, events.c.payload)
    .where(events.c.chain == _p("link"))
    .order_by(events.c.seq)
)
LAST_OF_TRIAL = (
    sa.select(events.c.hash, events.c.mac).where(events.c.chain == _p("link")).order_by(events.c.seq.desc()).limit(1)
)
LAST_OF_STUDY = (
    sa.select(events.c.hash, events.c.mac).where(events.c.chain.is_(None)).order_by(events.c.seq.desc()).limit(1)
)
ALL_HASHES = sa.select(events.c.seq, events.c.hash).order_by(events.c.seq)
ALL_CHAINS = sa.select(events).order_by(events.c.chain, events.c.seq)

_trial = sa.select(trials)
GET_TRIAL = _trial.where(trials.c.number == _p("number"))
_of_tree = _trial.where(trials.c.tree == _p("tree")).order_by(trials.c.number)
TRIAL_OF_TREE = _of_tree.where(trials.c.state != "vetoed", trials.c.state != "abandoned").limit(1)
READY_OF_TREE = _of_tree.where(trials.c.state == _p("state"))
_trials = _trial.where(trials.c.number > _p("after")).limit(_p("most"))
TRIALS = _trials.order_by(trials.c.number)
TRIALS_NEWEST = _trials.order_by(trials.c.number.desc())
TRIALS_IN = _trials.where(trials.c.state == _p("state")).order_by(trials.c.number)
TRIALS_IN_NEWEST = _trials.where(trials.c.state == _p("state")).order_by(trials.c.number.desc())
ALL_TRIALS = _trial.order_by(trials.c.number)
PUT_TRIAL = sa.insert(trials)
SET_TRIAL = (
    sa.update(trials)
    .where(trials.c.number == _p("key"))
    .values(state=_p("state"), standing=_p("standing"), tree=_p("tree"), effect=_p("effect"), row=_p("row"))
)

_run = sa.select(runs)
GET_RUN = _run.where(runs.c.id == _p("name"))
RUNS = _run.order_by(runs.c.number).limit(_p("most"))
RUNS_OF_TREE = _run.where(runs.c.tree == _p("tree")).order_by(runs.c.number).limit(_p("most"))
ALL_RUNS = _run.order_by(runs.c.number)
PUT_RUN = sa.insert(runs)
SET_RUN = sa.update(runs).where(runs.c.id == _p("name")).values(status=_p("status"), row=_p("row"))

GET_ROUND = sa.select(rounds.c.kind).where(rounds.c.round == _p("number"))
PUT_ROUND = sa.insert(rounds)
ALL_ROUNDS = sa.select(rounds).order_by(rounds.c.round, rounds.c.kind)

GET_LEASE = sa.select(leases.c.worker, leases.c.until, leases.c.seconds).where(leases.c.step == _p("name"))
PUT_LEASE = sa.insert(leases)
DROP_STEP = sa.delete(leases).where(leases.c.step == _p("name"))
_held = sa.and_(leases.c.step == _p("name"), leases.c.token == _p("fence"), leases.c.worker == _p("holder"))
DROP_LEASE = sa.delete(leases).where(_held).returning(leases.c.step)
SET_LEASE = sa.update(leases).where(_held).values(until=_p("until"), seconds=_p("seconds")).returning(leases.c.step)
ALL_LEASES = sa.select(leases).order_by(leases.c.token)
