INSERT INTO organization (name, created_at) SELECT 'Organization ' || n, now() FROM generate_series(1, %(organizations)s) n;
INSERT INTO team (name, created_at) SELECT 'Team ' || n, now() FROM generate_series(1, 10) n;
INSERT INTO person (email, name, role, created_at) SELECT 'agent' || n || '@desk.example', 'Agent ' || n, 'agent', now()
FROM generate_series(1, 40) n;
INSERT INTO membership (team_id, person_id, part, joined_at) SELECT n, 1, 'member', now() FROM generate_series(1, 5) n;
INSERT INTO person (email, name, role, organization_id, created_at)
SELECT 'customer' || n || '@example.org', 'Customer ' || n, 'customer', 1 + n %% %(organizations)s, now()
FROM generate_series(1, %(customers)s) n;
INSERT INTO ticket (number, subject, status, priority, channel, requester_id, organization_id, team_id, assignee_id, tags,
    created_at, updated_at, accepted_at, first_replied_at, resolved_at, closed_at)
SELECT n, 'Question ' || n || ' about model' || n %% (1 + %(tickets)s / 30), status,
    (ARRAY['low', 'medium', 'high', 'urgent'])[1 + n %% 4], 'mail', 40 + p, 1 + p %% %(organizations)s, nullif(n %% 11, 0),
    nullif(n %% 41, 0), ARRAY['tag' || n %% 50], at, at + '1 hour', at, at,
    CASE WHEN status IN ('resolved', 'closed') THEN at + '1 hour' END, CASE WHEN status = 'closed' THEN at + '1 hour' END
FROM (
    SELECT n, 1 + n %% %(customers)s AS p, now() - n * interval '20 s' AS at,
        (ARRAY['new', 'accepted', 'in_progress', 'waiting_customer', 'resolved', 'closed', 'closed', 'closed'])[1 + n * 7 %% 8] AS status
    FROM generate_series(1, %(tickets)s) n
) made;
INSERT INTO message (ticket, author_id, internal, from_staff, auto, channel, text, created_at)
SELECT number, CASE part WHEN 1 THEN requester_id ELSE 1 END, part = 3, part > 1, false, 'mail',
    'The model' || number %% (1 + %(tickets)s / 30) || CASE WHEN number %% 5 = 0 THEN ' printer' ELSE ' machine' END ||
    ' stopped at word' || number * part %% 5000 || ' and shows word' || number * 31 %% 5000 || '. ' ||
    repeat('It did so before as well. ', 12),
    created_at
FROM ticket, generate_series(1, 3) part ORDER BY number, part;
INSERT INTO ticket_text (ticket, shown, whole)
SELECT number, words, words FROM (
    SELECT t.number, desk_marks(t.number, t.requester_id, t.organization_id, t.team_id)
        || to_tsvector('pg_catalog.simple', desk_plain(string_agg(m.text, ' ') || ' ' || t.subject)) AS words
    FROM ticket t JOIN message m ON m.ticket = t.number GROUP BY t.number OFFSET 0
) found;
INSERT INTO sla_clock (ticket, metric, cycle, state, policy_id, policy_version, priority, calendar_version_id, target_seconds,
    started_at, anchor_at, consumed, due_at, outcome, epoch)
SELECT number, metric, 1, 'met', 1, 1, t.priority, (SELECT min(id) FROM calendar_version), seconds, created_at, created_at, '0 s',
    created_at + seconds * interval '1 s', CASE WHEN status IN ('resolved', 'closed') THEN 'met' END, 0
FROM ticket t JOIN sla_target g ON g.metric IN ('first_response', 'resolution') AND g.priority = t.priority;
SELECT setval(pg_get_serial_sequence('ticket', 'number'), %(tickets)s);
CREATE TABLE reference_event (seq bigserial PRIMARY KEY, at timestamptz, kind text, actor_id bigint, ticket bigint, data jsonb);
