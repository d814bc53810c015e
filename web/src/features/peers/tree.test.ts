import { describe, expect, it } from "vitest"
import type { Channel } from "@/core/api/types"
import { channelTree, prune, type TreeNode, type TreeView, VIEWS } from "./tree"

function channel(code: string, kind: string, more: Partial<Channel> = {}): Channel {
  return { id: 1, code, kind, name: code, parent: null, civil_code: null, status: "on", gone_at: null, camera: null, ...more } as Channel
}

const SYSTEM = "34150200002000000001"
const GROUP = "34150200002150000001"
const ORGANISATION = "34150200002160000003"
const NVR = "34150200001180000001"
const CAMERA = "34150200001320000001"
const OTHER = "34150300001320000002"
const ALL = [
  channel(SYSTEM, "system"),
  channel("341502", "region"),
  channel(GROUP, "business_group", { parent: SYSTEM }),
  channel(ORGANISATION, "virtual_organisation", { parent: GROUP }),
  channel(NVR, "device", { parent: SYSTEM, civil_code: "341502" }),
  channel(CAMERA, "device", { parent: `${NVR}/${ORGANISATION}`, civil_code: "341502", status: "off" }),
  channel(OTHER, "device", { civil_code: "341503" }),
]

function shape(nodes: TreeNode[]): unknown[] {
  return nodes.map((node) => (node.children.length > 0 ? [node.code, shape(node.children)] : node.code))
}

function tree(view: TreeView, channels: Channel[] = ALL): TreeNode[] {
  return channelTree(channels, view, (code) => `name of ${code}`)
}

describe("channelTree", () => {
  it("hangs items by device, by region and by organisation", () => {
    expect(shape(tree("device"))).toEqual([[SYSTEM, [[NVR, [CAMERA]]]], OTHER])
    expect(shape(tree("region"))).toEqual([["341502", [NVR, CAMERA]], ["341503", [OTHER]]])
    expect(shape(tree("group"))).toEqual([[GROUP, [[ORGANISATION, [CAMERA]]]], NVR, OTHER])
    expect(tree("region")[1]?.name).toBe("name of 341503")
  })
  it("counts devices and those that are on", () => {
    expect(tree("region").map((node) => [node.devices, node.on])).toEqual([[2, 1], [1, 1]])
  })
  it("loses no device whatever parents are said: circles, oneself, nobody", () => {
    const odd = [
      channel("a", "device", { parent: "b" }),
      channel("b", "device", { parent: "a" }),
      channel("c", "device", { parent: "c" }),
      channel("d", "device", { parent: "nobody/none", civil_code: "" }),
    ]
    for (const view of VIEWS) {
      const codes: string[] = []
      const walk = (nodes: TreeNode[]): void => {
        for (const node of nodes) {
          if (node.channel) codes.push(node.code)
          walk(node.children)
        }
      }
      walk(tree(view, odd))
      expect(codes.sort()).toEqual(["a", "b", "c", "d"])
    }
  })
  it("keeps the way to what is looked for", () => {
    expect(shape(prune(tree("device"), CAMERA))).toEqual([[SYSTEM, [[NVR, [CAMERA]]]]])
    expect(prune(tree("device"), "zzz")).toEqual([])
  })
})
