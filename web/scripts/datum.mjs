// GCJ-02 to WGS-84 by fixed-point iteration over the published forward shift; residual below 1e-7 degrees.
const SEMI_MAJOR_AXIS = 6378245.0
const ECCENTRICITY_SQUARED = 0.006693421622965943
const { PI, abs, cos, sin, sqrt } = Math

function ripple(x) {
  return ((20 * sin(6 * x * PI) + 20 * sin(2 * x * PI)) * 2) / 3
}

function shift(longitude, latitude) {
  const x = longitude - 105
  const y = latitude - 35
  let north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + ripple(x)
  north += ((20 * sin(y * PI) + 40 * sin((y / 3) * PI)) * 2) / 3
  north += ((160 * sin((y / 12) * PI) + 320 * sin((y * PI) / 30)) * 2) / 3
  let east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + ripple(x)
  east += ((20 * sin(x * PI) + 40 * sin((x / 3) * PI)) * 2) / 3
  east += ((150 * sin((x / 12) * PI) + 300 * sin((x / 30) * PI)) * 2) / 3
  const radians = (latitude / 180) * PI
  const magic = 1 - ECCENTRICITY_SQUARED * sin(radians) ** 2
  const metresNorth = ((SEMI_MAJOR_AXIS * (1 - ECCENTRICITY_SQUARED)) / magic ** 1.5 / 180) * PI
  const metresEast = ((SEMI_MAJOR_AXIS / sqrt(magic)) * cos(radians) * PI) / 180
  return [east / metresEast, north / metresNorth]
}

export function gcj02ToWgs84(longitude, latitude) {
  let guess = [longitude, latitude]
  for (let i = 0; i < 6; i += 1) {
    const [east, north] = shift(...guess)
    guess = [longitude - east, latitude - north]
  }
  return guess
}
