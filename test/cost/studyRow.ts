/** One run of a study. */
import { readFileSync } from 'node:fs'
import { runStudy, STUDIES, type StudyRow } from '../../src/cost/studies.ts'
import { loadObjects } from '../../src/guest/loadObjects.ts'

/** @param vcpus the first so many of the program; absent: any */
export function studyRow(study: string, label: string, pcpus: number, vcpus?: number): StudyRow {
  const run = STUDIES[study].runs.find((one) => one.label === label && one.pcpus === pcpus && (vcpus === undefined || one.vcpus === vcpus))!
  const imageOf = (object: string) => loadObjects([{ name: object, bytes: new Uint8Array(readFileSync(new URL(`../../cost/objects/${object}`, import.meta.url))) }], { title: label })
  return runStudy({ ...STUDIES[study], runs: [run] }, imageOf, null)[0]
}
