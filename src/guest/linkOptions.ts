/** Options of a link as text, so that a trace can link a changed object in the same way. */
import { InputError } from './inputError.ts'
import { formatPlacement, parsePlacement } from './elf/placement.ts'
import type { LoadOptions } from './loadObjects.ts'

/** As on the command line: `--place .text.site=0x00101003`, `--vcpus patcher,executor`, `--init f`, `--final -`. */
export function formatLinkOptions(options: LoadOptions): string[] {
  const texts = (options.placements ?? []).map((placement) => `--place ${formatPlacement(placement)}`)
  if (options.vcpus) texts.push(`--vcpus ${options.vcpus.join(',')}`)
  if (options.init !== undefined) texts.push(`--init ${options.init ?? '-'}`)
  if (options.final !== undefined) texts.push(`--final ${options.final ?? '-'}`)
  return texts
}

/** The inverse of `formatLinkOptions`. @throws InputError */
export function parseLinkOptions(texts: readonly string[]): LoadOptions {
  const options: { -readonly [K in keyof LoadOptions]: LoadOptions[K] } = {}
  for (const text of texts) {
    const [flag, value] = [text.slice(0, text.indexOf(' ')), text.slice(text.indexOf(' ') + 1)]
    if (flag === '--place') options.placements = [...(options.placements ?? []), parsePlacement(value)]
    else if (flag === '--vcpus') options.vcpus = parseVcpus(value)
    else if (flag === '--init') options.init = value === '-' ? null : value
    else if (flag === '--final') options.final = value === '-' ? null : value
    else throw new InputError('link options', `'${text}' is not one`)
  }
  return options
}

/** `patcher,executor*3`: entry functions by name, with a count where one is to run on several vCPUs. @throws InputError */
export function parseVcpus(text: string): string[] {
  return text.split(',').flatMap((item) => {
    const match = /^([^\s*,]+)(?:\*([1-9]\d?))?$/.exec(item)
    if (!match)
      throw new InputError(
        `--vcpus ${text}`,
        `'${item}' is not an entry`,
        'write NAME or NAME*COUNT, separated by commas',
      )
    return Array.from({ length: Number(match[2] ?? 1) }, () => match[1])
  })
}
