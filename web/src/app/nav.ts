import {
  Bell,
  Collection,
  Connection,
  DataAnalysis,
  Document,
  DocumentChecked,
  Key,
  MapLocation,
  Finished,
  Stamp,
  Upload,
  User,
  VideoCamera,
  VideoPlay,
  Warning,
} from "@element-plus/icons-vue"
import type { Component } from "vue"

export interface NavItem {
  key: string
  to: { path: string; query?: Record<string, string> }
  icon: Component
  needs?: string[]
  /** Only for people who work with cameras, not for administrators. */
  business?: boolean
}

export interface NavGroup {
  key: string
  items: NavItem[]
}

/** The rail by task (ui.md "Frame"); what is not built yet is not shown. */
export const NAV: NavGroup[] = [
  {
    key: "start",
    items: [
      { key: "overview", to: { path: "/" }, icon: DataAnalysis },
      { key: "todo", to: { path: "/todo" }, icon: Bell },
    ],
  },
  {
    key: "resources",
    items: [
      { key: "map", to: { path: "/cameras", query: { view: "map" } }, icon: MapLocation, needs: ["registry.camera.see"] },
      { key: "cameras", to: { path: "/cameras" }, icon: VideoCamera, needs: ["registry.camera.see"] },
      { key: "peers", to: { path: "/peers" }, icon: Connection, needs: ["signalling.peer.see"] },
      { key: "uppers", to: { path: "/uppers" }, icon: Upload, needs: ["signalling.upper.see"] },
    ],
  },
  {
    key: "inventory",
    items: [
      { key: "filings", to: { path: "/inventory" }, icon: Document, needs: ["inventory.filing.see"] },
      {
        key: "reconciliation",
        to: { path: "/inventory/reconciliation" },
        icon: Finished,
        needs: ["inventory.reconciliation.see"],
      },
    ],
  },
  {
    key: "sharing",
    items: [
      { key: "live", to: { path: "/live" }, icon: VideoPlay, needs: ["media.session.open"] },
      {
        key: "catalogue",
        to: { path: "/cameras", query: { view: "split" } },
        icon: Collection,
        needs: ["sharing.request.create"],
      },
      { key: "requests", to: { path: "/sharing/requests" }, icon: Stamp, needs: ["sharing.request.see"] },
      { key: "grants", to: { path: "/sharing/grants" }, icon: Key, needs: ["sharing.grant.see"] },
    ],
  },
  {
    key: "operations",
    items: [{ key: "alarms", to: { path: "/alarms" }, icon: Warning, needs: ["signalling.alarm.see"] }],
  },
  { key: "audit", items: [{ key: "audit", to: { path: "/audit" }, icon: DocumentChecked, needs: ["audit.entry.see"] }] },
  { key: "system", items: [{ key: "users", to: { path: "/users" }, icon: User, needs: ["identity.account.see"] }] },
]

/** What one person sees of it; groups without a page fall away. */
export function navFor(can: (...names: string[]) => boolean): NavGroup[] {
  return NAV.map((group) => ({
    ...group,
    items: group.items.filter((item) => item.needs === undefined || can(...item.needs)),
  })).filter((group) => group.items.length > 0)
}

/** The entry a path belongs to: the longest one that leads it, its query agreeing. */
export function activeItem(groups: NavGroup[], path: string, query: Record<string, unknown>): string {
  let best = { key: "", score: -1 }
  for (const { items } of groups) {
    for (const { key, to } of items) {
      const leads = to.path === "/" ? path === "/" : path === to.path || path.startsWith(`${to.path}/`)
      const wanted = Object.entries(to.query ?? {})
      if (!leads || wanted.some(([name, value]) => query[name] !== value)) continue
      const score = to.path.length * 2 + wanted.length
      if (score > best.score) best = { key, score }
    }
  }
  return best.key
}
