/** Shapes of the HTTP API (design.md §9) as the pages read them. Times are ISO 8601 with offset. */

export interface Page<T> {
  items: T[]
  next_cursor: string | null
  total?: number | null
}

export interface OrganisationRef {
  id: number
  name: string
  /** Not every answer tells it. */
  name_en?: string | null
}

export interface Organisation extends OrganisationRef {
  code: string
  short_name: string
  kind: string
  level: string
  region_code: string
}

export interface Region {
  code: string
  name: string
  level: string
  parent_code: string | null
  usable: boolean
}

export interface Me {
  id: number
  username: string
  display_name: string
  organisation: Organisation
  roles: string[]
  permissions: string[]
  must_change: boolean
  language?: string | null
}

export interface CameraAccess {
  see: "duty" | "grant" | "emergency" | "catalogue" | null
  live: boolean
  until: string | null
  grant: number | null
}

export interface Camera {
  code: string
  name: string
  organisation: OrganisationRef
  region_code: string
  region_name: string
  place: string | null
  longitude: number | null
  latitude: number | null
  status?: number | null
  point_class: number | null
  place_class: string | null
  sensitive: boolean
  sharing_class: string
  direction?: number | null
  access?: CameraAccess | null
  online?: boolean | null
  allowed_actions?: string[]
}

export interface ArchiveField {
  key: string
  label: string
  value: unknown
  display: string | null
  source?: string | null
}

export interface ArchiveGroup {
  group: string
  group_name: string
  fields: ArchiveField[]
}

export interface CodeSegment {
  digits: string
  label?: string
  value: string
  meaning: string
}

export type Section = Record<string, unknown>

export interface CameraDetail extends Camera {
  archive?: ArchiveGroup[]
  code_segments?: CodeSegment[]
  sections?: Record<string, Section | null>
}

export interface CameraChange {
  id: number
  at: string
  operation: string
  actor_name: string
  source: string
  reason: string | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

export interface CameraViewer {
  kind: string
  organisation: OrganisationRef | null
  basis: string
  actions: string[]
  purpose: { zh: string; en: string } | null
  people: number | null
  suspended: boolean
  valid_to: string | null
  grant: number | null
  grant_number: string | null
}

export interface MapCluster {
  longitude: number
  latitude: number
  count: number
  bbox: [number, number, number, number]
}

export interface MapAnswer {
  clusters: MapCluster[]
  cameras: Camera[]
  total: number
}

export interface Figure {
  key: string
  label: string
  value: number | null
  unit: string | null
  link: string | null
}

export interface Need {
  key: string
  label: string
  count: number
  link: string
  deadline?: string | null
}

export interface Overview {
  figures: Figure[]
  needs: Need[]
  by_region: { code: string; name: string; cameras: number; online: number | null }[]
}

export type Severity = "error" | "warning" | "suspicious" | "advice"

export interface FilingCounts {
  platforms?: number
  cameras?: number
  errors?: number
  warnings?: number
  suspicious?: number
  advices?: number
  rows_ok?: number
  rows_bad?: number
  skipped?: number
  new?: number
  changed?: number
  unchanged?: number
}

export interface Filing {
  id: number
  organisation: OrganisationRef
  state: string
  dry_run: boolean
  zero_report?: boolean
  file_name: string | null
  head: Record<string, string | null>
  counts: FilingCounts
  progress: number
  stage: string | null
  failure?: { title?: string; detail?: string } | string | null
  created_at: string
  submitted_at?: string | null
  decided_at?: string | null
  decision_reason?: string | null
  allowed_actions: string[]
}

export interface FilingRow {
  sheet: string
  /** Name of the workbook sheet the row stands on, when there are several. */
  tab: string | null
  row: number
  raw: Record<string, string | null>
  verdict: "ok" | "warning" | "error" | "skipped"
}

export interface Finding {
  id: number
  sheet: string | null
  tab: string | null
  row: number | null
  column: string | null
  column_label: string | null
  rule: string
  clause: string
  severity: Severity
  value: string | null
  message: string
  remedy: string
}

export interface FindingGroup {
  rule: string
  severity: Severity
  count: number
  message: string
}

export interface FindingPage extends Page<Finding> {
  groups: FindingGroup[]
}

export interface FormField {
  key: string
  label: string
  help?: string | null
}

export interface Peer {
  id: number
  code: string
  name: string
  organisation: OrganisationRef
  state: string
  reason: string | null
  edition: string | null
  user_agent: string | null
  registered_at: string | null
  keepalive_at: string | null
  address: string | null
  channels: number
  online_channels: number
  password?: string | null
  media_transport?: string | null
  last_run: { state: string; declared: number | null; received: number; packets: number; ended_at: string | null } | null
  allowed_actions?: string[]
}

export interface Channel {
  id: number
  code: string
  kind?: string
  name: string
  manufacturer: string | null
  model?: string | null
  status: string
  longitude?: number | null
  latitude?: number | null
  camera?: { code: string; name: string } | null
  camera_code?: string | null
  seen_at?: string | null
}

export interface DailyHours {
  days: number[]
  from: string
  to: string
}

export interface RequestCamera extends Camera {
  outcome: string | null
  reason: string | null
  narrowed?: Record<string, unknown> | null
  already: { grant: number | null; until: string | null } | null
}

export interface Effect {
  summary: { zh: string; en: string }
  cameras: number
  sensitive: number
  overlapping: number
  becomes_visible_to: { name: string; name_en?: string; people?: number } | null
  until: string | null
}

export interface Decision {
  id?: number
  stage: string
  outcome: string
  comment: string
  at: string
  organisation: OrganisationRef
  person: string
}

export interface ShareRequest {
  id: number
  number: string
  organisation: OrganisationRef
  created_by: string
  state: string
  title: string
  purpose: string
  legal_basis: string
  actions: string[]
  valid_from: string
  valid_to: string
  hours: DailyHours | null
  playback_hours: number | null
  concurrency: number
  delivery: string[]
  created_at: string
  submitted_at: string | null
  decided_at: string | null
  cameras_count: number
  purpose_label: string
  legal_basis_label?: string
  cameras?: RequestCamera[]
  effect?: Effect | null
  decisions?: Decision[]
  earlier?: EarlierRequest[]
  grants?: { id: number; number: string; state: string }[]
  version: number
  allowed_actions: string[]
}

export interface EarlierRequest {
  id: number
  number: string
  title: string
  state: string
  cameras: number
  submitted_at: string | null
}

export interface Grant {
  id: number
  number: string
  request: number
  organisation: OrganisationRef
  state: string
  purpose: string
  purpose_label: string
  legal_basis_label: string
  valid_from: string
  valid_to: string
  cameras_count: number
  cameras?: (Camera & { actions: string[]; ended_at?: string | null })[]
  /** People of the grantee who may use it. */
  people?: number | null
  created_at: string
  ended_at: string | null
  end_reason: string | null
  allowed_actions: string[]
}

export interface VocabularyItem {
  code: string
  zh: string
  en: string
}

export interface Vocabulary {
  purposes: VocabularyItem[]
  legal_bases: VocabularyItem[]
  refusals: VocabularyItem[]
  longest_days: number
  max_concurrency: number
}

export interface StreamStep {
  step: string
  at?: string | null
  detail?: string | null
  ok?: boolean | null
}

export interface MediaUrls {
  flv: string | null
  fmp4: string | null
  hls: string | null
}

export interface OpenedSession {
  id: string
  urls: MediaUrls
  expires_at: string | null
  stream?: { steps?: StreamStep[]; codec?: string | null } | null
}

export interface SessionState {
  id: string
  state: string
  end_code: string | null
  end_reason: { zh: string; en: string } | string | null
  ended_at?: string | null
}

export interface AuditEntry {
  id: number
  at: string
  action: string
  sentence: string
  actor_name: string
  organisation_name: string
  camera: number | null
  camera_code: string | null
  camera_name: string | null
  session_id: string | null
  grant: number | null
  grant_number: string | null
  detail: unknown
  leaf_index: number | null
}

export interface Checkpoint {
  size: number
  at: string
  node: string
  algorithm: string
  root: string
  key_id: string
}

export interface Verification {
  ok: boolean
  entries: number
  checkpoints: number
  seconds: number
  /** What the verifier could not say for sure, in words. */
  notes: string[]
  root: string
  node: string
  problem: { entry_id: number | null; kind: string; text: string } | null
}

export interface Account {
  id: number
  username: string
  display_name: string
  organisation: OrganisationRef
  roles: string[]
  disabled?: boolean
  disabled_at?: string | null
  locked_until?: string | null
  last_login_at?: string | null
  must_change?: boolean
  allowed_actions?: string[]
}

export interface Role {
  code: string
  name: string
  /** Whether I may give and take it. */
  givable: boolean
}
