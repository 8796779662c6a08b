-- One row per line of the batch, an entry: the line of a client log in its payload, '{}' where it holds none.
CREATE OR REPLACE TEMP VIEW client_line AS
WITH
entry AS (
    SELECT
        file_id,
        line_no,
        CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"jsonPayload":"JSON","textPayload":"VARCHAR"}')) END AS v
    FROM line_batch
),
-- Agents parse most lines that are JSON; what they leave as text is looked at if it may be one of ours.
told AS (
    SELECT
        file_id,
        line_no,
        v,
        CASE
            WHEN starts_with(v.jsonPayload::VARCHAR, '{') THEN v.jsonPayload::VARCHAR
            WHEN starts_with(ltrim(v.textPayload), '{') AND contains(v.textPayload, '"call_id"') THEN v.textPayload
        END AS payload
    FROM entry
),
-- Standard output is shared: an entry without both of our keys is another program's, whatever else it holds.
marked AS (
    SELECT
        file_id,
        line_no,
        v,
        payload,
        TRY(json_transform(payload, '{"event":"VARCHAR","call_id":"VARCHAR"}')) AS mark
    FROM told
)
SELECT
    file_id,
    line_no,
    CASE
        WHEN v IS NULL THEN NULL
        WHEN payload IS NULL THEN '{}'
        WHEN mark IS NULL THEN payload
        WHEN mark.event IS NOT NULL AND mark.call_id IS NOT NULL THEN payload
        ELSE '{}'
    END AS line
FROM marked
