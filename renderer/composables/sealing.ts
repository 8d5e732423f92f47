import { computed, reactive, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { LEAST_PASSPHRASE_CHARACTERS } from '#shared/planning/backups/passphrase.ts'

/** What is typed to encrypt something, and what is wrong with it. */
export interface SealingForm {
  form: { passphrase: string; again: string; recipients: string }
  /** Public keys, one a word. */
  keys: ComputedRef<string[]>
  /** '' when nothing is. */
  problem: ComputedRef<string>
  /** Keeps no passphrase on the page that was used. */
  forget(): void
}

/** @param how `passphrase`, `recipients`, or a way that needs neither */
export function useSealing(how: Ref<string>): SealingForm {
  const { t } = useI18n()
  const form = reactive({ passphrase: '', again: '', recipients: '' })
  const keys = computed(() => form.recipients.split(/\s+/).filter((each) => each !== ''))
  const problem = computed(() => {
    if (how.value === 'passphrase' && form.passphrase.length < LEAST_PASSPHRASE_CHARACTERS) return t('sealing.short', { n: LEAST_PASSPHRASE_CHARACTERS })
    if (how.value === 'passphrase' && form.passphrase !== form.again) return t('sealing.differ')
    if (how.value === 'recipients' && keys.value.length === 0) return t('sealing.noRecipients')
    return ''
  })
  const forget = (): void => {
    form.passphrase = ''
    form.again = ''
  }
  return { form, keys, problem, forget }
}
