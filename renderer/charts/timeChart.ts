import type { EChartsCoreOption } from 'echarts/core'
import type { MetricChart, MetricSeries } from '#shared/contract/metrics.ts'
import { bytes, cores, count, percent } from '../composables/format.ts'

/** Colours of a chart, read from the page's tokens. */
export interface ChartTheme {
  text: string
  line: string
  surface: string
  font: string
  series: readonly string[]
}

/** A value in the words of its unit. */
export function unitText(value: number, unit: MetricSeries['unit']): string {
  switch (unit) {
    case 'cores':
      return cores(value)
    case 'bytes':
      return bytes(value)
    case 'ratio':
      return percent(value)
    case 'ms':
      return `${count(Math.round(value * 10) / 10)} ms`
    case 'per-second':
      return `${count(Math.round(value * 100) / 100)}/s`
    case 'count':
      return count(value)
  }
}

/** Labels of an axis in one unit: cores as such from one on, millicores below. */
function axisText(value: number, unit: MetricSeries['unit'], largest: number): string {
  if (unit !== 'cores') return unitText(value, unit)
  return largest >= 1 ? count(value) : `${String(Math.round(value * 1000))}m`
}

/** Between two lines of an axis of bytes: 1, 2 or 5 times a power of ten, of the unit that its labels are in. */
export function byteStep(largest: number): number {
  const unit = 1024 ** Math.max(0, Math.floor(Math.log2(largest) / 10))
  const rough = largest / unit / 3
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5].find((each) => each * power >= rough) ?? 10) * power * unit
}

/** Lines over time. A missing sample is a gap. The tooltip is drawn, not HTML, since names come from the cluster. `range`: the time shown, else what the samples cover. */
export function timeChartOption(chart: MetricChart, theme: ChartTheme, range: { fromMs: number; toMs: number } | null = null): EChartsCoreOption {
  const unit = chart.series[0]?.unit ?? 'count'
  const largest = Math.max(0, ...chart.series.flatMap((each) => each.values.filter((value) => value !== null)))
  const step = unit === 'bytes' && largest > 0 ? byteStep(largest) : null
  const format = (value: unknown): string => (typeof value === 'number' ? unitText(value, unit) : '')
  return {
    animation: false,
    textStyle: { fontFamily: theme.font },
    aria: { enabled: true },
    color: [...theme.series],
    grid: { left: 8, right: 12, top: 28, bottom: 4, containLabel: true },
    legend: { type: 'scroll', top: 0, left: 0, itemWidth: 12, itemHeight: 3, icon: 'rect', textStyle: { color: theme.text, fontSize: 11 } },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      valueFormatter: format,
      backgroundColor: theme.surface,
      borderColor: theme.line,
      textStyle: { color: theme.text, fontSize: 12 },
      axisPointer: { lineStyle: { color: theme.text } },
    },
    xAxis: {
      type: 'time',
      ...(range === null ? {} : { min: range.fromMs, max: range.toMs }),
      axisLabel: { color: theme.text, fontSize: 11, hideOverlap: true },
      axisLine: { lineStyle: { color: theme.line } },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      min: 0,
      axisLabel: { color: theme.text, fontSize: 11, formatter: (value: number) => axisText(value, unit, largest) },
      minInterval: unit === 'count' ? 1 : 0,
      ...(step === null ? {} : { interval: step, max: Math.ceil(largest / step) * step }),
      splitLine: { lineStyle: { color: theme.line, type: 'dashed' } },
      splitNumber: 3,
    },
    series: chart.series.map((each) => ({
      name: each.name,
      type: 'line',
      showSymbol: each.values.filter((value) => value !== null).length < 3,
      symbolSize: 4,
      lineStyle: { width: 1.5 },
      areaStyle: chart.series.length <= 2 ? { opacity: 0.12 } : undefined,
      connectNulls: false,
      data: chart.timesMs.map((at, index) => [at, each.values[index] ?? null]),
    })),
  }
}
