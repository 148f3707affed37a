variable "cluster_name" {
  description = "The cluster's name, not its ARN."
  type        = string

  validation {
    condition     = !startswith(var.cluster_name, "arn:")
    error_message = "The name is asked for, not the ARN."
  }
}

variable "service_name" {
  description = "The service's name: aws_ecs_service.NAME.name, so that the service is there first."
  type        = string
}

variable "namespace" {
  description = "The namespace that ESP publishes to: module.esp.namespace."
  type        = string
}

variable "register_target" {
  description = "Whether to register the service as a scalable target. False where another policy of yours has done so."
  type        = bool
  default     = true
}

variable "min_capacity" {
  description = "The fewest tasks."
  type        = number
  default     = 2
}

variable "max_capacity" {
  description = "The most tasks."
  type        = number
  default     = 50
}

variable "scale_out_threshold" {
  description = "CPUUtilization, in percent, from which tasks are added: half as many again, twice as many from 20 points above."
  type        = number
  default     = 60
}

variable "scale_in_threshold" {
  description = "CPUUtilization, in percent, below which, for five minutes, a tenth of the tasks is removed."
  type        = number
  default     = 20
}

variable "scale_out_cooldown" {
  description = "Seconds for which tasks that were added count as on their way: about what a new task takes to serve. The service's own default of 300 would undo the haste."
  type        = number
  default     = 60
}

variable "scale_in_cooldown" {
  description = "Seconds between two removals."
  type        = number
  default     = 300
}
