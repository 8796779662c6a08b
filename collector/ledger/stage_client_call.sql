-- One row per line of the delivery, with its fate; kept in memory until enough are together for one commit.
INSERT INTO staged_client_call BY NAME SELECT * FROM parsed
