"""Azure Resource Manager: subscriptions, resource groups, the workspace itself."""
