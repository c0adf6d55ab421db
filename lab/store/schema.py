"""The tables. Values that the lab reads whole (specs, recipes, measurements) are JSON columns."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

environments = Table(
    "environments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("payload", JSON, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("card", JSON, nullable=False),
    Column("created_at", String(40), nullable=False),
)

studies = Table(
    "studies",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("model", String(200), nullable=False),
    Column("title", String(200), nullable=False, default=""),
    Column("state", String(20), nullable=False, index=True),
    Column("stage", String(200), nullable=False, default=""),
    Column("spec", JSON, nullable=False),
    Column("card", JSON, nullable=False),
    Column("remeasure", Boolean, nullable=False, default=False),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    Column("created_at", String(40), nullable=False),
    Column("started_at", Float),
    Column("finished_at", String(40)),
    Column("seconds_left", Float),
    Column("revision", Integer, nullable=False, default=0),
    Column("error", JSON),
)

trials = Table(
    "trials",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("study", String(40), ForeignKey("studies.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", String(200), nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("target", JSON, nullable=False),
    Column("state", String(20), nullable=False),
    Column("is_baseline", Boolean, nullable=False, default=False),
    Column("cached", Boolean, nullable=False, default=False),
    Column("error", JSON),
    Column("artifact", JSON),
    Column("measurements", JSON, nullable=False, default=dict),
    Column("environment", String(64)),
    Column("float_operators", JSON, nullable=False, default=dict),
    Column("details", JSON, nullable=False, default=dict),
    Index("trials_of_study", "study", "position", unique=True),
)

steps = Table(
    "steps",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("technique", String(100), nullable=False, index=True),
    Column("outcome", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", String(40), nullable=False),
)

results = Table(
    "results",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("outcome", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", String(40), nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("study", String(40), ForeignKey("studies.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("key", String(64), nullable=False),
    Column("label", String(300), nullable=False, default=""),
    Column("machine", String(200), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float, nullable=False),
    Column("outcome", String(20), nullable=False),
)

curves = Table(
    "curves",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("technique", String(100), nullable=False),
    Column("phases", JSON, nullable=False),
    Column("updated_at", Float, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("study", String(40), ForeignKey("studies.id"), nullable=False, index=True),
    Column("view", JSON, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("revoked_at", String(40)),
)

notes = Table(
    "notes",
    metadata,
    Column("study", String(40), ForeignKey("studies.id"), primary_key=True),
    Column("trial", String(60), primary_key=True),
    Column("text", Text, nullable=False),
    Column("updated_at", String(40), nullable=False),
)
