# SPDX-License-Identifier: MIT
# A file of SQL as C string literals that make up the same text. Comments stay: the tables' own stand in the database.
s/["\]/\\&/g
s/.*/"&\\n"/
