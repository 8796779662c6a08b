"""Sources: one outside format a file. Each turns raw lines into rows of one record kind, or says why it cannot.

A source's `stage` leaves a view called `parsed` on the connection, with the record's columns and `fate`: NULL for
a record, 'ignored' for a line of no interest, and otherwise what is wrong with the line.
"""
