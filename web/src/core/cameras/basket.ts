import type { CameraLike } from "@/core/api/types"

/** Cameras that one page chose and another goes on with, so that nobody has to ask for each of them again. */
const known = new Map<string, CameraLike>()

export function remember(cameras: Iterable<CameraLike>): void {
  for (const camera of cameras) known.set(camera.code, camera)
}

export function recall(code: string): CameraLike | undefined {
  return known.get(code)
}
