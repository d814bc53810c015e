import type { MediaUrls } from "@/core/api/types"
import { flvStarter } from "./flv"
import { fmp4Starter } from "./fmp4"
import { hlsStarter } from "./hls"
import type { StartTransport, TransportName } from "./types"

export interface Rung {
  name: TransportName
  url: string
  start: StartTransport
}

const STARTERS: Record<TransportName, () => Promise<StartTransport | null>> = {
  flv: flvStarter,
  fmp4: () => Promise.resolve(fmp4Starter()),
  hls: hlsStarter,
}

/** The ways this browser can take this stream, quickest first. */
export async function ladder(urls: MediaUrls, starters = STARTERS): Promise<Rung[]> {
  const rungs: Rung[] = []
  for (const name of ["flv", "fmp4", "hls"] as const) {
    const url = urls[name]
    if (url === null || url === undefined || url === "") continue
    const start = await starters[name]()
    if (start !== null) rungs.push({ name, url, start })
  }
  return rungs
}
