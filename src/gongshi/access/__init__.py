"""The one door: rights, decide(), visible(), permit(). No other room writes an authorisation rule."""
