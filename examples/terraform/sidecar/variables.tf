variable "image" {
  description = "ESP's image, with a tag or a digest."
  type        = string
}

variable "container_name" {
  description = "The container to measure, by its name in the same task definition."
  type        = string
}

variable "namespace" {
  description = "The CloudWatch namespace to publish to; the permission is for this one alone."
  type        = string

  validation {
    condition     = !startswith(var.namespace, "AWS/") && !startswith(var.namespace, ":")
    error_message = "A namespace must not begin with AWS/ or with a colon."
  }
}

variable "service_name" {
  description = "The service's name. Required on Fargate, whose endpoint may not say it. Write the name itself: a reference to the service would be a cycle, since the service needs the task definition. Null where the endpoint says it (EC2 agent 1.63.1 and later)."
  type        = string
  default     = null
}

variable "task_role_name" {
  description = "The task role (not the execution role), which gets the permission."
  type        = string
}

variable "log_group_name" {
  description = "The log group for ESP's own log: a few lines at the start, then one a minute."
  type        = string
}

variable "region" {
  description = "The Region of the log group. ESP itself takes the Region from the task's ARN."
  type        = string
}

variable "environment" {
  description = "Further variables of ESP's, for instance { METRICS = \"CPUUtilization\" } or those of ../../networks."
  type        = map(string)
  default     = {}
}
