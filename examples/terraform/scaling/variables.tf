variable "cluster_name" {
  description = "The cluster's name, not its ARN."
  type        = string

  validation {
    condition     = !startswith(var.cluster_name, "arn:")
    error_message = "cluster_name must be the name, not the ARN."
  }
}

variable "service_name" {
  description = "The service's name. Use aws_ecs_service.NAME.name, so that the service is created first."
  type        = string
}

variable "namespace" {
  description = "The namespace that ESP publishes to: module.esp.namespace."
  type        = string
}

variable "register_target" {
  description = "Whether to register the service as a scalable target. False if the service is registered already."
  type        = bool
  default     = true
}

variable "min_capacity" {
  description = "The minimum number of tasks."
  type        = number
  default     = 2
}

variable "max_capacity" {
  description = "The maximum number of tasks."
  type        = number
  default     = 50
}

variable "scale_out_threshold" {
  description = "Tasks are added at or above this CPUUtilization, in percent: 50 % more, and 100 % more from 10 points above it."
  type        = number
  default     = 60
}

variable "scale_in_threshold" {
  description = "10 % of the tasks are removed if CPUUtilization, in percent, is below this for five minutes."
  type        = number
  default     = 20
}

variable "hot_task_alarm" {
  description = "A second alarm, which adds one task at most every five minutes: \"maximum\" if one task is hot, \"p90\" if a tenth of the tasks is, or \"none\"."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "maximum", "p90"], var.hot_task_alarm)
    error_message = "hot_task_alarm must be none, maximum or p90."
  }
}

variable "scale_out_cooldown" {
  description = "Seconds for which new tasks count as starting: what a new task takes to serve, and 20 s more until the metric shows it. AWS's default of 300 would make scaling out slow."
  type        = number
  default     = 90
}

variable "scale_in_cooldown" {
  description = "Seconds between two removals."
  type        = number
  default     = 300
}
