import { computed } from "vue"
import type { VocabularyItem } from "@/core/api/types"
import { pick } from "@/core/i18n"
import { useObject } from "@/core/paging/useObject"
import { getVocabulary } from "./api"

interface Choice {
  value: string
  text: string
}

function choices(items: unknown): Choice[] {
  if (!Array.isArray(items)) return []
  return (items as (VocabularyItem & { zh?: string; en?: string; name?: string; label?: string })[]).map((item) => {
    const text = item.text ?? item.label ?? item.name ?? pick({ zh: item.zh ?? "", en: item.en ?? "" })
    return { value: item.code ?? text, text }
  })
}

/** Preset purposes, bases and refusal reasons, in the reader's language; free text is always possible. */
export function useVocabulary() {
  const vocabulary = useObject(["vocabulary"], getVocabulary)
  const purposes = computed(() => choices(vocabulary.data.value?.purposes))
  const legalBases = computed(() => choices(vocabulary.data.value?.legal_bases))
  const refusals = computed(() => choices(vocabulary.data.value?.refusal_reasons))

  /** The words for a code; free text stands for itself. */
  function say(list: Choice[], value: string): string {
    return list.find((choice) => choice.value === value)?.text ?? value
  }
  return {
    purposes,
    legalBases,
    refusals,
    purposeText: (value: string) => say(purposes.value, value),
    basisText: (value: string) => say(legalBases.value, value),
    refusalText: (value: string) => say(refusals.value, value),
  }
}
