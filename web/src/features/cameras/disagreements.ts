import type { CameraDetail, Section } from "@/core/api/types"
import { i18n } from "@/core/i18n"
import { metres, type Place } from "@/core/map/geometry"

type Declared = Pick<CameraDetail, "name" | "longitude" | "latitude" | "status"> & Partial<Pick<CameraDetail, "sections">>

/** Two positions of one camera closer than this are the same place, measured twice. */
const SAME_PLACE_METRES = 50

function text(section: Section, key: string): string {
  const value = section[key]
  return typeof value === "string" ? value.trim() : ""
}

function place(section: Section): Place | null {
  const { longitude, latitude } = section
  return typeof longitude === "number" && typeof latitude === "number" ? [longitude, latitude] : null
}

/** Every disagreement between what was declared and what is seen, in words (ui.md page 3). */
export function disagreements(camera: Declared): string[] {
  const { t } = i18n.global
  const told = camera.sections?.["disagreements"]
  const said: string[] = Array.isArray(told) ? told.map(String) : []
  const seen = camera.sections?.["seen"]
  if (seen === undefined) return said
  if (seen === null) return [...said, t("camera.differs.unseen")]
  const seenName = text(seen, "name")
  if (seenName !== "" && seenName !== camera.name) said.push(t("camera.differs.name", { declared: camera.name, seen: seenName }))
  const at = place(seen)
  if (at !== null && camera.longitude !== null && camera.latitude !== null) {
    const apart = metres([camera.longitude, camera.latitude], at)
    if (apart > SAME_PLACE_METRES) said.push(t("camera.differs.place", { metres: Math.round(apart) }))
  }
  const status = text(seen, "status").toLowerCase()
  if (camera.status === 1 && status === "off") said.push(t("camera.differs.off"))
  if (camera.status !== 1 && camera.status !== null && status === "on") said.push(t("camera.differs.on"))
  return said
}
