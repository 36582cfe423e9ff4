"""Azure Resource Manager: subscriptions, resource groups, the workspace itself."""

from local_workspace.services.arm.routes import router

__all__ = ["router"]
