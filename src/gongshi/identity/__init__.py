"""Who is there: accounts, roles, logins."""
