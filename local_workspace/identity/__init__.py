"""Who may ask: certificates, tokens and their check."""
