"""Who may do what: people, roles, sessions, share links, the audit log."""
