"""The database role that the desk works as: it may do everything but change or delete what the audit holds.

The desk signs in to PostgreSQL as the owner of its tables and then becomes this role (db/session.py), which owns nothing: it
can neither alter a table nor switch off its triggers. Migrations alone are run by the owner. The role is called after the
owner, `atum_app` for `atum`, so that two desks on one server never share one. Where the owner may not make roles and nobody
else made it, the triggers are all that protects the audit; health and `atum audit verify` say so.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

WITHOUT = (
    "The database role {role} can't be used, so triggers alone keep the audit from being changed. A superuser makes it with: "
    'CREATE ROLE "{role}" NOLOGIN; GRANT "{role}" TO "{owner}"; then restart the desk.'
)

# Another process may make it at the same moment: then it is there, which is what was wanted.
_MAKE = text(
    """
    DO $$
    DECLARE app CONSTANT text := session_user || '_app';
    BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
            RETURN;
        END IF;
        EXECUTE format('CREATE ROLE %I NOLOGIN', app);
        EXECUTE format('GRANT %I TO %I', app, session_user);
    EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
        NULL;
    END $$
    """
)
# A start that finds every right in place writes nothing.
_GRANT = text(
    """
    DO $$
    DECLARE
        app CONSTANT text := session_user || '_app';
        thing record;
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
            RETURN;
        END IF;
        FOR thing IN
            WITH wanted AS (
                SELECT c.relname AS name, c.relacl AS acl, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, CASE
                    WHEN c.relkind = 'S' THEN 'SELECT,USAGE'
                    WHEN c.relname IN ('audit_event', 'audit_checkpoint') THEN 'INSERT,SELECT'
                    WHEN c.relname = 'audit_head' THEN 'SELECT,UPDATE'
                    WHEN c.relname = 'alembic_version' THEN 'SELECT'
                    ELSE 'DELETE,INSERT,SELECT,UPDATE'
                END AS may
                FROM pg_class c
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'S')
                  AND pg_has_role(c.relowner, 'USAGE')
            )
            SELECT name, kind, may FROM wanted
            WHERE may IS DISTINCT FROM (
                SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM aclexplode(acl)
                WHERE grantee = quote_ident(app)::regrole
            )
        LOOP
            EXECUTE format('REVOKE ALL ON %s %I FROM %I', thing.kind, thing.name, app);
            EXECUTE format('GRANT %s ON %s %I TO %I', thing.may, thing.kind, thing.name, app);
        END LOOP;
        IF NOT has_schema_privilege(app, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), app);
        END IF;
    END $$
    """
)
_STANDING = text("SELECT current_user AS works_as, session_user AS owner, session_user || '_app' AS role")


@dataclass(frozen=True)
class Standing:
    """Which role the desk works as, and what is wrong with that, in words; nothing where it is the right one."""

    role: str
    problem: str | None


def settle(c: Connection) -> None:
    """Make the role where that is allowed, and give it its rights on every table there is now. `c` is the owner's."""
    c.execute(_MAKE)
    c.execute(_GRANT)


def standing(c: Connection) -> Standing:
    """How it is on a connection of the desk's own."""
    row = c.execute(_STANDING).one()
    if row.works_as == row.role:
        return Standing(row.works_as, None)
    return Standing(row.works_as, WITHOUT.format(role=row.role, owner=row.owner))
