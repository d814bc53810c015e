"""Sharing: requests, decisions, grants (申请 → 审批 → 授权)."""
