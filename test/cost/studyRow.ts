/** One run of a study. */
import { runStudy, STUDIES, type StudyRow } from '../../src/cost/studies.ts'
import { programAt } from '../programs.ts'

/** @param vcpus the first so many of the program; absent: any */
export function studyRow(study: string, label: string, pcpus: number, vcpus?: number): StudyRow {
  const run = STUDIES[study].runs.find((one) => one.label === label && one.pcpus === pcpus && (vcpus === undefined || one.vcpus === vcpus))!
  return runStudy({ ...STUDIES[study], runs: [run] }, (object) => programAt(`cost/objects/${object}`), { table: null, pcpus: undefined, quantum: undefined })[0]
}
