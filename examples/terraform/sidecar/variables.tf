variable "image" {
  description = "ESP's image, with a tag or a digest."
  type        = string
}

variable "container_name" {
  description = "The container to measure, by its name in the same task definition."
  type        = string
}

variable "namespace" {
  description = "The CloudWatch namespace to publish to. The permission covers only this one."
  type        = string

  validation {
    condition     = !startswith(var.namespace, "AWS/") && !startswith(var.namespace, ":")
    error_message = "A namespace must not begin with AWS/ or with a colon."
  }
}

variable "service_name" {
  description = "The service's name. Required on Fargate, whose endpoint may not report it. Write the name as text: a reference to the service would be a cycle, because the service needs the task definition. Null if the endpoint reports it (EC2 agent 1.63.1 and later)."
  type        = string
  default     = null
}

variable "task_role_name" {
  description = "The task role, which gets the permission. Not the execution role."
  type        = string
}

variable "log_group_name" {
  description = "The log group for ESP's own log: a few lines at the start, then one per minute."
  type        = string
}

variable "region" {
  description = "The Region of the log group. ESP itself takes the Region from the task's ARN."
  type        = string
}

variable "environment" {
  description = "More variables for ESP, for instance { METRICS = \"CPUUtilization\" } or those of ../../networks."
  type        = map(string)
  default     = {}
}
