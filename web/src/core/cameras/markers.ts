import type { CameraLike, MapAnswer } from "@/core/api/types"
import { i18n } from "@/core/i18n"
import { nameOf, word } from "@/core/i18n/format"
import { byPoint, fanOut, type Place } from "@/core/map/geometry"
import type { MapMarker } from "@/core/map/types"

export function placeOf(camera: CameraLike): Place | null {
  return camera.longitude === null || camera.latitude === null ? null : [camera.longitude, camera.latitude]
}

/** Filled: I may watch. Ring: I may ask. Square: I could, but it is offline. */
export function cameraTone(camera: CameraLike): NonNullable<MapMarker["tone"]> {
  if (camera.access?.live) return camera.online === false ? "bad" : "mine"
  return camera.sharing_class === "none" ? "closed" : "open"
}

export function cameraLabel(camera: CameraLike): string {
  const { t } = i18n.global
  const parts = [camera.name, nameOf(camera.organisation), t(`cameras.tone.${cameraTone(camera)}`)]
  if (camera.sensitive) parts.push(t("cameras.sensitive"))
  return parts.join(", ")
}

function one(camera: CameraLike, chosen: ReadonlySet<string>): MapMarker {
  return {
    id: camera.code,
    place: placeOf(camera) as Place,
    kind: "camera",
    label: cameraLabel(camera),
    tone: chosen.has(camera.code) ? "chosen" : cameraTone(camera),
    sensitive: camera.sensitive,
  }
}

type Shown = Pick<MapAnswer, "clusters"> & { cameras: readonly CameraLike[] }

/** Clusters, single cameras, and stacks of cameras on one point; `open` names the stack that is fanned out. */
export function toMarkers(answer: Shown, chosen: ReadonlySet<string>, open: string | null): MapMarker[] {
  const { t } = i18n.global
  const markers: MapMarker[] = answer.clusters.map((cluster) => ({
    id: `cluster:${cluster.bbox.join()}`,
    place: [cluster.longitude, cluster.latitude],
    kind: "cluster",
    label: t("map.cluster", { n: cluster.count }),
    text: String(cluster.count),
  }))
  for (const { place, items } of byPoint(answer.cameras, placeOf)) {
    const id = `stack:${place.join()}`
    if (items.length === 1) markers.push(one(items[0] as CameraLike, chosen))
    else if (open === id) {
      const offsets = fanOut(items.length)
      items.forEach((camera, index) => {
        const offset = offsets[index]
        markers.push({ ...one(camera, chosen), ...(offset ? { offset } : {}) })
      })
    } else {
      markers.push({
        id,
        place,
        kind: "stack",
        label: t("map.stack", { n: items.length }),
        text: String(items.length),
        ...(items.some((camera) => chosen.has(camera.code)) ? { tone: "chosen" as const } : {}),
      })
    }
  }
  return markers
}

/** What I have on this camera, in a few words. */
export function accessWords(camera: CameraLike): string {
  const { t } = i18n.global
  if (camera.access?.live) return t(camera.access.see === "duty" ? "cameras.access.live_duty" : "cameras.access.live_grant")
  return word("sharing_class", camera.sharing_class)
}
