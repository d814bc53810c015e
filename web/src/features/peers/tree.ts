import type { Channel } from "@/core/api/types"

/** A place in a catalogue: an item of it, or a heading that the catalogue names without listing it. */
export interface TreeNode {
  code: string
  name: string
  channel: Channel | null
  children: TreeNode[]
  /** Devices in it and below. */
  devices: number
  /** Of these, devices that are on. */
  on: number
}

export type TreeView = "device" | "region" | "group"
export const VIEWS: TreeView[] = ["device", "region", "group"]

const GROUPS = new Set(["business_group", "virtual_organisation"])

function node(code: string, name: string, channel: Channel | null = null): TreeNode {
  return { code, name, channel, children: [], devices: 0, on: 0 }
}

function parents(channel: Channel): string[] {
  return (channel.parent ?? "").split("/").map((part) => part.trim()).filter((part) => part !== "" && part !== channel.code)
}

/** Type digits 11-13 of a code tell a group from a device (GB/T 28181 annex E). */
function isGroupCode(code: string): boolean {
  return code.length === 20 && (code.startsWith("215", 10) || code.startsWith("216", 10))
}

/** Where an item hangs in one of the three trees; null is the root, undefined: not in this tree. */
function place(channel: Channel, view: TreeView, known: ReadonlyMap<string, TreeNode>): string[] | undefined {
  const is = channel.kind
  if (view === "region") {
    if (is === "region") return regionAbove(channel.code).filter((code) => known.has(code))
    if (is === "device") return channel.civil_code ? [channel.civil_code] : []
    return undefined
  }
  const above = parents(channel)
  if (view === "group") {
    if (is === "device" || GROUPS.has(is)) return above.filter(isGroupCode)
    return undefined
  }
  if (is === "region" || GROUPS.has(is)) return undefined
  return above.filter((code) => !isGroupCode(code) && known.has(code))
}

function regionAbove(code: string): string[] {
  return code.length > 2 ? [code.slice(0, -2)] : []
}

/** No item is lost: what has no place hangs at the root, a circle is cut where it closes. */
export function channelTree(channels: readonly Channel[], view: TreeView, regionName: (code: string) => string): TreeNode[] {
  const known = new Map<string, TreeNode>()
  for (const channel of channels) known.set(channel.code, node(channel.code, channel.name || channel.code, channel))
  const roots: TreeNode[] = []
  const parentOf = new Map<TreeNode, TreeNode>()

  function heading(code: string): TreeNode | undefined {
    const found = known.get(code)
    if (found !== undefined || view !== "region") return found
    const made = node(code, regionName(code))
    known.set(code, made)
    const above = regionAbove(code).map((upper) => known.get(upper)).find((upper) => upper !== undefined)
    hang(made, above)
    return made
  }

  function hang(child: TreeNode, parent: TreeNode | undefined): void {
    for (let up = parent; up !== undefined; up = parentOf.get(up)) if (up === child) parent = undefined
    if (parent === undefined) roots.push(child)
    else {
      parent.children.push(child)
      parentOf.set(child, parent)
    }
  }

  for (const channel of channels) {
    const child = known.get(channel.code)
    const above = place(channel, view, known)
    if (child === undefined || above === undefined) continue
    // A device may stand in several organisations; everything else has one place.
    const many = view === "group" && channel.kind === "device"
    const uppers = above.map(heading).filter((upper) => upper !== undefined && upper !== child)
    if (uppers.length === 0) hang(child, undefined)
    else if (many) uppers.forEach((upper, index) => { hang(index === 0 ? child : node(child.code, child.name, channel), upper) })
    else hang(child, uppers[0])
  }
  for (const root of roots) count(root)
  return roots.sort(order)
}

function count(one: TreeNode): void {
  const self = one.channel?.kind === "device" && one.channel.gone_at === null
  one.devices = self ? 1 : 0
  one.on = self && one.channel?.status === "on" ? 1 : 0
  for (const child of one.children) {
    count(child)
    one.devices += child.devices
    one.on += child.on
  }
  one.children.sort(order)
}

/** Headings first, then by code. */
function order(a: TreeNode, b: TreeNode): number {
  const rank = Number(a.children.length === 0) - Number(b.children.length === 0)
  return rank === 0 ? (a.code < b.code ? -1 : Number(a.code > b.code)) : rank
}

/** The part of a tree that holds what is looked for, with the way to it. */
export function prune(roots: readonly TreeNode[], text: string): TreeNode[] {
  const wanted = text.trim().toLowerCase()
  if (wanted === "") return [...roots]
  return roots.flatMap((one) => {
    if (one.name.toLowerCase().includes(wanted) || one.code.includes(wanted)) return [one]
    const children = prune(one.children, wanted)
    return children.length > 0 ? [{ ...one, children }] : []
  })
}
