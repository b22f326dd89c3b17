"""Methods of the comparison of tables (Table 3 of the paper)."""
