/** Names for the shapes of the HTTP API; they come from its own description (`npm run schema`). */
import type { components } from "./schema"

type Schemas = components["schemas"]

/** What any list answers. */
export interface Page<T> {
  items: T[]
  next_cursor?: string | null
  total?: number | null
}

/** A unit as most answers name it. */
export interface OrganisationRef {
  id: number
  name: string
  /** Not every answer tells it. */
  name_en?: string | null
}

export type Me = Schemas["MeOut"]
export type Organisation = Schemas["gongshi__registry__schemas__OrganisationOut"]
export type Region = Schemas["RegionOut"]
export type Camera = Schemas["CameraItem"]
export type Section = Record<string, unknown>
export type CameraDetail = Omit<Schemas["gongshi__registry__schemas__CameraOut"], "sections"> & {
  sections: Record<string, Section | null>
}
/** What a list, a map or a chooser needs of a camera, wherever it came from. */
export type CameraLike = Pick<
  Camera,
  "code" | "name" | "longitude" | "latitude" | "sensitive" | "sharing_class" | "region_name" | "place"
> & {
  organisation: OrganisationRef
  access?: Camera["access"] | null
  online?: boolean | null
  status?: number | null
  point_class?: number | null
}
export type ArchiveGroup = Schemas["ArchiveGroupOut"]
export type CodeSegment = Schemas["CodeSegmentOut"]
export type CameraChange = Schemas["ChangeOut"]
export type CameraViewer = Schemas["gongshi__sharing__schemas__HolderOut"]
export type MapAnswer = Schemas["CameraMap"]
export type Overview = Schemas["OverviewOut"]
export type Figure = Schemas["FigureOut"]
export type Need = Schemas["NeedOut"]

export type Severity = "error" | "warning" | "suspicious" | "advice"
type Count =
  | "platforms"
  | "cameras"
  | "errors"
  | "warnings"
  | "suspicious"
  | "advices"
  | "rows_ok"
  | "rows_bad"
  | "skipped"
  | "new"
  | "changed"
  | "unchanged"
export type FilingCounts = Partial<Record<Count, number>>
export type Filing = Omit<Schemas["FilingOut"], "counts" | "head"> & {
  counts: FilingCounts
  head: Record<string, string | null>
}
export type FilingRow = Schemas["RowOut"]
export type Finding = Omit<Schemas["FindingOut"], "severity"> & { severity: Severity }
export type FindingGroup = Schemas["FindingGroup"]
export type FindingPage = Page<Finding> & { groups: FindingGroup[] }
export type FormField = Pick<Schemas["FieldOut"], "key" | "label"> & { help?: string }
export type Reconciliation = Omit<Schemas["ReconciliationOut"], "seen_undeclared"> & {
  seen_undeclared: (Omit<Schemas["SeenOut"], "peer"> & { peer: { id: number; name: string } })[]
}

export type Peer = Schemas["PeerOut"]
export type NewPeer = Schemas["PeerIn"]
export type PeerChanges = Schemas["PeerChange"]
export type PeerSubscription = Schemas["gongshi__signalling__device_schemas__SubscriptionOut"]
export type PeerAnswer = Schemas["SaidOut"]
export type PeerQuestion = Schemas["QueryIn"]["kind"]
export type DeviceCommand = Schemas["CommandIn"]["command"]
export type Channel = Schemas["ChannelOut"]
export type Alarm = Omit<Schemas["AlarmOut"], "peer" | "camera"> & {
  peer: { id: number; name: string; code: string }
  camera: { code: string; name: string } | null
}

export type Upper = Schemas["UpperOut"]
export type NewUpper = Schemas["UpperIn"]
export type UpperChanges = Schemas["UpperChange"]
export type SharedCamera = Schemas["SharedCameraOut"]
export type UpperRight = Schemas["UpperRightOut"]
export type NewUpperRight = Schemas["UpperRightIn"]

export interface DailyHours {
  days: number[]
  from: string
  to: string
}
export type RequestCamera = Omit<Schemas["gongshi__sharing__schemas__CameraOut"], "organisation"> & {
  organisation: OrganisationRef
}
export type Effect = Omit<Schemas["EffectOut"], "becomes_visible_to"> & {
  becomes_visible_to: OrganisationRef & { people: number }
}
export type RequestItem = Schemas["RequestItem"]
export type EarlierRequest = Schemas["EarlierOut"]
export type ShareRequest = Omit<Schemas["RequestOut"], "hours" | "cameras" | "effect"> & {
  hours: DailyHours | null
  cameras: RequestCamera[]
  effect: Effect
}
export type RequestBody = Schemas["RequestIn"]
export type DecisionBody = Schemas["DecisionIn"]
export type ItemDecision = Schemas["ItemIn"]
export type GrantItem = Schemas["GrantItem"]
export type Grant = Omit<Schemas["GrantOut"], "cameras"> & {
  cameras: (Omit<Schemas["GrantCameraOut"], "organisation"> & { organisation: OrganisationRef })[]
}
export type VocabularyItem = Schemas["WordOut"]
export type Vocabulary = Schemas["VocabularyOut"]

export type StreamStep = Schemas["StepOut"]
export type MediaUrls = Schemas["UrlsOut"]
export type OpenedSession = Schemas["OpenedOut"]
export type FreshUrls = Schemas["FreshUrlsOut"]
export type Playing = Schemas["PlayingOut"]
export type Steering = Schemas["ControlIn"]["action"]
export type Recordings = Schemas["RecordingsOut"]
export type PtzOrder = Schemas["PtzIn"]
export type PtzAnswer = Schemas["PtzOut"]
export type Presets = Schemas["PresetsOut"]
export type PresetOrder = Schemas["PresetIn"]
export type SessionState = Schemas["SessionOut"]

export type AuditEntry = Schemas["EntryOut"]
export type Checkpoint = Schemas["CheckpointOut"]
export type Verification = Schemas["VerifyOut"]

export type Account = Schemas["AccountOut"]
export type NewAccount = Schemas["AccountIn"]
export type AccountChanges = Schemas["AccountPatch"]
export type Role = Schemas["RoleOut"]
