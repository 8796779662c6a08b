-- One row per problem that a reader found before the line could be parsed.
INSERT INTO problem VALUES ($source, $kind, $place, $message, $now_us, $excerpt, $run_id)
