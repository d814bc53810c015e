/** Longitude and latitude in degrees, WGS-84. */
export type Place = readonly [number, number]
export type Box = readonly [number, number, number, number]

/** The box around places: west, south, east, north. Null for none. */
export function boxAround(places: Iterable<Place>): Box | null {
  let box: [number, number, number, number] | null = null
  for (const [x, y] of places) {
    if (box === null) box = [x, y, x, y]
    else box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)]
  }
  return box
}

/** True inside the closed ring (even-odd rule). */
export function inRing(place: Place, ring: readonly Place[]): boolean {
  const [x, y] = place
  let inside = false
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [ax, ay] = ring[i] as Place
    const [bx, by] = ring[j] as Place
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside
  }
  return inside
}

/** Pixel offsets for n things on one point: a circle while they are few, then a spiral. */
export function fanOut(n: number, spacing = 34): { x: number; y: number }[] {
  if (n <= 1) return n === 1 ? [{ x: 0, y: 0 }] : []
  if (n <= 8) {
    const radius = Math.max(spacing, (spacing * n) / (2 * Math.PI))
    return Array.from({ length: n }, (_, i) => {
      const angle = (2 * Math.PI * i) / n - Math.PI / 2
      return { x: Math.round(radius * Math.cos(angle)), y: Math.round(radius * Math.sin(angle)) }
    })
  }
  const offsets: { x: number; y: number }[] = []
  let angle = 0
  let radius = spacing
  for (let i = 0; i < n; i += 1) {
    offsets.push({ x: Math.round(radius * Math.cos(angle)), y: Math.round(radius * Math.sin(angle)) })
    angle += spacing / radius
    radius += (spacing * 0.9 * spacing) / (2 * Math.PI * radius)
  }
  return offsets
}

/** Groups what stands on the same point, to the sixth decimal. */
export function byPoint<T>(items: readonly T[], place: (item: T) => Place | null): { place: Place; items: T[] }[] {
  const groups = new Map<string, { place: Place; items: T[] }>()
  for (const item of items) {
    const at = place(item)
    if (at === null) continue
    const key = `${at[0].toFixed(6)},${at[1].toFixed(6)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { place: at, items: [item] })
    else group.items.push(item)
  }
  return [...groups.values()]
}

/** Metres between two places on the sphere; exact enough to say "120 m apart". */
export function metres(a: Place, b: Place): number {
  const rad = Math.PI / 180
  const x = (b[0] - a[0]) * rad * Math.cos(((a[1] + b[1]) / 2) * rad)
  const y = (b[1] - a[1]) * rad
  return Math.hypot(x, y) * 6_371_008.8
}
