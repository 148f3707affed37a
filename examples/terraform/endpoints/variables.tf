variable "region" {
  description = "The Region."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets for the endpoint's interfaces, one an Availability Zone. Each interface has its hourly price."
  type        = list(string)
}

variable "client_security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}
